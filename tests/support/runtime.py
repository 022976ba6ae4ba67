"""A runtime on fakes: real verbs, plan, chains and journal; scripted binaries, no kernel.

`Bench.native` is a plugin type carried out in-process whose links live in `FakeKernel`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cni.attach import Attacher
from cni.chain import Chains, Plugins
from cni.check import Checker
from cni.collecting import Collecting
from cni.data_dirs import DataDirs
from cni.default_network import ConfDir
from cni.delegate import ExecPlugin
from cni.detach import Detacher
from cni.gate import Gate
from cni.gc import Collector
from cni.ground import Ground
from cni.holds import Holds
from cni.hotplug import Hotplug
from cni.inherited import Inheritance
from cni.ipam.address_files import AddressFiles
from cni.ipam.ipams import Ipams
from cni.ipam.kept import KeptAddresses
from cni.journal import Journal
from cni.leave import Leaver
from cni.networks import Networks
from cni.orphans import Orphans
from cni.plan import Planner
from cni.pods import Pods
from cni.ports import Ports
from cni.programs import Programs
from cni.recovery import Recovery
from cni.report import Reporter
from cni.runtime import Runtime
from cni.serving.protocol import Verbs
from cni.serving.request import parse_call
from cni.serving.spool import Spool
from cni.strangers import Strangers
from tests.support.clock import FakeClock
from tests.support.exec import FakeExec, plain
from tests.support.fake_native import FakeNative
from tests.support.kernel import FakeKernel
from tests.support.listeners import FakeListeners
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
NETNS = "/run/netns/fake"
BIN = "/opt/cni/bin"


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


class Bench:
    """A runtime and everything it stands on.

    Args:
        root: a directory of the test's own.
        store: the pods, planes and NADs.
        default: the default network's configuration; None leaves the conf dir empty.
    """

    def __init__(
        self,
        root: Path,
        store: FakeStore,
        default: JsonObject | None = None,
        limit: int = 8,
        *,
        is_standalone: bool = True,
    ) -> None:
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
        self.gate = Gate(limit)
        self.is_standalone = is_standalone
        self.reporter = Reporter(store)
        self._compose()

    def _compose(self) -> None:
        self.journal = Journal(self.journal_dir, boot=self.boot)
        self.collecting = Collecting(patience=0.05)
        plugins, ipams = self._plugins()
        self.chains = Chains(plugins, ipams, self.probe)
        networks = Networks(
            self.store, ConfDir(self.conf_dir, self.clock), is_standalone=self.is_standalone
        )
        self.leaver = Leaver(
            Detacher(self.chains, self.holds, self.kernel, self.probe),
            self.journal,
            self.kernel,
            self.reporter,
        )
        self.recovery = self._recover()
        pods = Pods(self.store, is_standalone=self.is_standalone)
        planner = Planner(networks, plugins, ipams.handles, self.kernel, "node-a")
        self.orphans = self._orphans()
        self.runtime = Runtime(
            store=self.store,
            ground=Ground(networks, self.kernel),
            gate=self.gate,
            pods=pods,
            planner=planner,
            attacher=self.attacher,
            leaver=self.leaver,
            journal=self.journal,
            inheritance=Inheritance(self.multus_dir, self.journal, "node-a"),
            strangers=Strangers(networks, "node-a", is_standalone=self.is_standalone),
            checker=Checker(self.chains, networks, self.kernel, self.store),
            collector=self._collector(networks),
            orphans=self.orphans,
            reporter=self.reporter,
            cni_path=(BIN,),
            probe=self.probe,
        )
        self.hotplug = self._hotplug(networks, planner, pods)

    def _hotplug(self, networks: Networks, planner: Planner, pods: Pods) -> Hotplug:
        return Hotplug(
            store=self.store,
            ground=Ground(networks, self.kernel),
            runtime=self.runtime,
            planner=planner,
            attacher=self.attacher,
            gate=self.gate,
            journal=self.journal,
            pods=pods,
            cni_path=(BIN,),
        )

    def _recover(self) -> Recovery:
        return Recovery(
            journal=self.journal,
            leaver=self.leaver,
            gate=self.gate,
            reporter=self.reporter,
            store=self.store,
            clock=self.clock,
        )

    @property
    def holds(self) -> Holds:
        """Who holds addresses that come from elsewhere."""
        return Holds(self.store.addresses, lambda: self.store.catalog)

    def _plugins(self) -> tuple[Plugins, Ipams]:
        programs = Programs(self.clock, self.gate.step_aside)

        def binary(kind: str) -> ExecPlugin:
            return ExecPlugin(self.exec, kind, 5, programs)

        ipams = Ipams(self.store.addresses, lambda: self.store.catalog, binary)
        return Plugins({"inside": self.native}, self.exec, 5, programs), ipams

    def _collector(self, networks: Networks) -> Collector:
        return Collector(
            journal=self.journal,
            leaver=self.leaver,
            networks=networks,
            chains=self.chains,
            gate=self.gate,
            collecting=self.collecting,
        )

    @property
    def attacher(self) -> Attacher:
        """Who carries plans out."""
        return Attacher(
            chains=self.chains,
            holds=self.holds,
            leaver=self.leaver,
            journal=self.journal,
            sandboxes=self.kernel,
            ports=Ports(self.journal, self.listeners),
            probe=self.probe,
            collecting=self.collecting,
        )

    def _orphans(self) -> Orphans:
        return Orphans(
            journal=self.journal,
            addresses=self.store.addresses,
            kept=KeptAddresses(AddressFiles(), DataDirs((str(self.data_dir),))),
            live=self.kernel,
            leaver=self.leaver,
            kernel=self.kernel,
            gate=self.gate,
            clock=self.clock,
            node="node-a",
        )

    def put_default(self, default: JsonObject) -> None:
        """Write the default network's file."""
        (self.conf_dir / "10-default.conflist").write_text(json.dumps(default))

    async def open(self) -> Bench:
        """Open the journal, as the daemon does before it serves."""
        await self.journal.open()
        return self

    async def restart(self) -> None:
        """Begin anew on the same disk, as a process that was killed."""
        self._compose()
        await self.journal.open()
        await self.recovery.start()

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
        through: Callable[[Verbs, Spool], Verbs] | None = None,
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
            json.dumps(
                {"cniVersion": version, "name": "netplane", "type": "netplane", **(conf or {})}
            ).encode(),
        )
        spool = Spool(self.journal_dir.parent / "spool", self.runtime, self.clock)
        verbs = self.runtime if through is None else through(self.runtime, spool)
        stdout = await verbs.handle(request)
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
