"""The daemon's own composition on fakes: scripted binaries, a kernel and a store in memory.

`Bench.native` is a plugin type carried out in-process whose links live in `FakeKernel`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cni.attaching.attachment_steps import AttachmentSteps
from cni.call import parse_call
from cni.composition.parts import Parts, compose
from cni.environment import Environment
from cni.native.engine import Engine
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.plugin import Call
from cni.serving.protocol import SandboxVerbs, Verbs
from cni.serving.spool import Spool
from cni.settings import Settings, read_settings
from planes.model.decide.adoption import Fact
from planes.model.wire.result import Result
from tests.support.clock import FakeClock
from tests.support.cni.exec import FakeExec, plain
from tests.support.cni.fake_native import FakeNative
from tests.support.cni.kernel import FakeKernel, node_kernel
from tests.support.cni.listeners import FakeListeners
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
NETNS = "/run/netns/fake"
BIN = "/opt/cni/bin"
NETCONF = {"name": "netplane", "type": "netplane"}


class Boundaries:
    """A probe that keeps what it was told and acts at one of them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at = -1
        self.act: Callable[[], object] = lambda: None

    def reached(self, boundary: str) -> None:
        self.seen.append(boundary)
        if len(self.seen) - 1 == self.at:
            self.act()


def _settings(root: Path, limit: int, *, is_standalone: bool) -> Settings:
    given = {
        "standalone": root,
        "node": "node-a",
        "state-dir": root / "state",
        "cni-conf-dir": root / "net.d",
        "cni-bin-dir": BIN,
        "data-dirs": root / "cni",
        "multus-cache": root / "multus",
        "kubelet-dir": root / "kubelet",
        "device-info-dir": root / "devinfo",
        "max-in-flight": limit,
        "plugin-deadline": 5,
    }
    settings = read_settings([f"--{name}={value}" for name, value in given.items()], {})
    return settings if is_standalone else replace(settings, standalone=None)


class Bench:
    """A runtime and the fakes of its environment.

    Args:
        root: a directory of the test's own.
        store: the pods, planes and NADs.
        default: the default network's configuration; None leaves the conf dir empty.
        limit: most calls at work at once.
        is_standalone: false as on a cluster.
        foreign: what other IPAMs of the cluster say.
    """

    def __init__(
        self,
        root: Path,
        store: FakeStore,
        default: JsonObject | None = None,
        limit: int = 8,
        *,
        is_standalone: bool = True,
        foreign: Callable[[], Awaitable[Sequence[Fact]]] | None = None,
    ) -> None:
        self.foreign = foreign
        self.log: list[str] = []
        self.store = store
        self.clock = FakeClock()
        self.kernel = FakeKernel({NETNS: (42, {"lo"})})
        self.native = FakeNative(self.kernel, self.log)
        self.exec = FakeExec({"one": plain, "two": plain, "meta": plain, "static": plain})
        self.probe = Boundaries()
        self.listeners = FakeListeners()
        self.conf_dir = root / "net.d"
        self.conf_dir.mkdir(exist_ok=True)
        if default is not None:
            self.put_default(default)
        self.boot = ""
        self.journal_dir = root / "state" / "journal"
        self.data_dir = root / "cni"
        self.multus_dir = root / "multus"
        self.settings = _settings(root, limit, is_standalone=is_standalone)
        self.take(self._composed())

    def _composed(self) -> Parts:
        environment = Environment(
            self.store,
            node_kernel(self.kernel, {"inside": self.native}),
            self.exec,
            self.clock,
            self.probe,
            listeners=self.listeners,
            boot=self.boot,
        )
        if self.foreign is not None:
            environment = replace(environment, foreign=self.foreign)
        return compose(self.settings, environment)

    def take(self, parts: Parts) -> None:
        """Name the parts that tests speak of."""
        self.parts = parts
        self.journal = parts.shared.journal
        self.call_locks = parts.shared.call_locks
        self.collecting = parts.shared.collecting
        self.reporter = parts.shared.reporter
        self.health = parts.shared.health
        self.chains = parts.plugins.chains
        self.engine = Engine(self.kernel, parts.plugins.ipams, self.probe)
        self.following = parts.confdir.followed
        self.teardown = parts.attaching.teardown
        self.reconciler = parts.reconcile.reconciler
        self.orphans = parts.reconcile.orphans
        self.pending_removal = parts.reconcile.pending_removal
        self.node_drain = parts.reconcile.node_drain
        self.runtime = parts.verbs.runtime
        self.hotplug = parts.verbs.hotplug

    async def add(self, call: Call, attachment: PlannedAttachment) -> Result:
        """Carry out the ADD of one attachment, without a journal entry."""
        steps = AttachmentSteps(self.chains, self.probe)
        return await self.engine.run(call.netns, steps.add(call, attachment, set()))

    def put_default(self, default: JsonObject) -> None:
        """Write the default network's file."""
        (self.conf_dir / "10-default.conflist").write_text(json.dumps(default))

    async def open(self) -> Bench:
        """Open the journal, as the daemon does before it serves."""
        await self.journal.open()
        return self

    async def restart(self) -> None:
        """Begin anew on the same disk, as a process that was killed."""
        self.take(self._composed())
        await self.journal.open()
        await self.reconciler.recover()

    async def call(
        self,
        verb: str,
        *,
        pod: str = "shop/web",
        uid: str = "",
        container: str = "c1",
        ifname: str = "eth0",
        netns: str = NETNS,
        args: Mapping[str, str] | None = None,
        conf: JsonObject | None = None,
        version: str = "1.1.0",
        through: Callable[[SandboxVerbs, Spool], Verbs] | None = None,
    ) -> JsonObject:
        """Carry out a verb as a runtime asks for it; the result, {} where there is none.

        `through` makes what stands before the runtime in the daemon, from it and the spool.
        """
        namespace, _, name = pod.partition("/")
        known = {"K8S_POD_NAMESPACE": namespace, "K8S_POD_NAME": name, "K8S_POD_UID": uid}
        pairs = {"IgnoreUnknown": "1", **{k: v for k, v in known.items() if v}, **(args or {})}
        request = parse_call(
            {
                "CNI_COMMAND": verb,
                "CNI_CONTAINERID": container,
                "CNI_NETNS": netns,
                "CNI_IFNAME": ifname,
                "CNI_PATH": "/from/runtime",
                "CNI_ARGS": ";".join(f"{key}={value}" for key, value in pairs.items()),
            },
            json.dumps({**NETCONF, "cniVersion": version, **(conf or {})}).encode(),
        )
        spool = self.parts.reconcile.spool
        stdout = await (through(self.runtime, spool) if through else self.runtime).handle(request)
        return json.loads(stdout) if stdout else {}

    def leftovers(self) -> dict[str, Any]:
        """What a call left behind; equal to `NOTHING` where it left nothing."""
        return {
            "plugins": set(self.exec.attached),
            "links": {path: names - {"lo"} for path, (_, names) in self.kernel.sandboxes.items()},
            "held": set(self.native.held),
            "addresses": {p: h for p, h in self.store.addresses.held.items() if h},
            "journal": sorted(path.name for path in self.journal_dir.iterdir()),
            "statuses": dict(self.store.statuses),
            "calls": len(self.journal),
        }


NOTHING: JsonObject = {
    "plugins": set(),
    "links": {NETNS: set()},
    "held": set(),
    "addresses": {},
    "journal": [],
    "statuses": {},
    "calls": 0,
}
