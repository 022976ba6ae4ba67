"""How long one try to detach may hold its sandbox: a DEL, `forget` or uninstalling waits for it."""

from __future__ import annotations

from pathlib import Path

from cni.attaching.detacher import Detacher
from cni.attaching.device_files import DeviceFiles
from cni.attaching.held_addresses import HeldAddresses
from cni.attaching.teardown import CALL_SECONDS, LONGEST_RETRY, Teardown, TeardownOutcome
from cni.devices.info_files import DeviceInfoFiles
from cni.host.exec import Completed
from cni.journal.entry import Entry
from cni.reconcile.drain_node import NodeDrain
from cni.reconcile.reconciler import Reconciler
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import PluginCall, failed, plain


class _Limits(Teardown):
    """Notes how long each try may take."""

    seen: list[float | None]

    async def tear_down(
        self, entry: Entry, netns: str = "", *, within: float | None = None
    ) -> TeardownOutcome:
        self.seen.append(within)
        return await super().tear_down(entry, netns, within=within)


async def _refuses(call: PluginCall) -> Completed:
    return failed("no") if call.verb == "DEL" else await plain(call)


async def test_no_try_waits_for_all_that_hang_one_after_the_other(tmp_path: Path) -> None:
    """Six plugins that hang held the sandbox for nine minutes; whoever asks waits for that."""
    made = await bench(tmp_path)
    await made.call("ADD")
    made.exec.scripts["two"] = _refuses
    holds = HeldAddresses(made.store.addresses, lambda: made.store.catalog)
    detacher = Detacher(made.chains, made.engine, holds, made.kernel, made.probe)
    teardown = _Limits(
        detacher,
        made.journal,
        made.kernel,
        made.reporter,
        devices=DeviceFiles(DeviceInfoFiles(str(tmp_path / "devinfo"))),
        clock=made.clock,
    )
    teardown.seen = []
    reconciler = Reconciler(
        journal=made.journal,
        teardown=teardown,
        call_locks=made.call_locks,
        reporter=made.reporter,
        store=made.store,
        clock=made.clock,
    )
    made.kernel.sandboxes.clear()
    entry = made.journal.find(("c1", "eth0"))
    assert entry is not None
    await teardown.tear_down_in_call(entry, waited=10.0)
    for _ in range(4):
        made.clock.advance(600)
        await reconciler.reconcile()
    drain = NodeDrain(
        made.journal,
        reconciler,
        made.parts.reconcile.spool,
        teardown,
        orphans=made.orphans,
        call_locks=made.call_locks,
        pending_removal=made.pending_removal,
    )
    await drain.drain(is_forced=False)
    assert teardown.seen[0] == CALL_SECONDS - 8.0  # and a quarter of that for its last step
    assert teardown.seen[1:3] == [CALL_SECONDS / 2] * 2  # a runtime still asks
    assert set(teardown.seen[3:]) == {LONGEST_RETRY}
