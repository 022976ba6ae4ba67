"""What is reported of an address that somebody on the wire has."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import generate_latest

from cni.attaching.address_conflicts import AddressConflicts
from cni.ipam.conflicts import AddressConflict
from cni.journal.entry import Entry, Stage
from cni.plugins.attachment import PlannedAttachment
from planes.model.addresses import parse_address
from planes.model.events import Event
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import Interface, Result
from planes.run.metrics import Metrics
from planes.store.protocol import AddressOwner

MAC = "02:00:00:00:00:66"
CONFLICT = AddressConflict(
    "business",
    AddressOwner("c1", "net1", "shop", "web", "u1"),
    {parse_address("10.9.0.5"): MAC},
    is_asked_for=False,
)


def reports(*entries: Entry, conflict: AddressConflict = CONFLICT) -> tuple[list[Event], str]:
    """Return the events of a conflict, and the metrics."""
    queued: list[Event] = []
    conflicts = AddressConflicts(lambda: entries, queued.extend)
    metrics = Metrics()
    conflicts.measure(metrics)
    conflicts(conflict)
    return queued, generate_latest(metrics.registry).decode()


def attached(pod: str, mac: str) -> Entry:
    conf = parse_conflist({"cniVersion": "1.0.0", "name": "n", "type": "macvlan"})
    interfaces = (Interface("eth1", MAC), Interface("net1", mac, sandbox="/run/netns/x"))
    one = PlannedAttachment("n", conf, "net1", result=Result(interfaces=interfaces))
    return Entry(
        container_id="c9",
        ifname="eth0",
        netns="/run/netns/x",
        netns_inode=1,
        network="netplane",
        cni_path=(),
        uid="",
        node="node-a",
        namespace="shop",
        pod=pod,
        attachments=(one,),
        stage=Stage.ATTACHED,
    )


def test_the_pod_is_told_the_address_and_the_mac() -> None:
    [event], metrics = reports()
    assert (event.reason, event.type, event.pod) == ("AddressConflict", "Warning", "web")
    assert event.message == (
        f"10.9.0.5 ({MAC}) of plane business: somebody on the wire answers; they rest, and others "
        "are tried"
    )
    assert 'netplane_address_conflicts_total{plane="business"} 1.0' in metrics


def test_a_pod_of_this_node_with_that_mac_is_named() -> None:
    """The interface of the node of that MAC is none of the pod's."""
    [event], _ = reports(attached("liar", MAC), attached("other", "02:00:00:00:00:67"))
    assert "somebody on the wire answers, that is pod shop/liar on this node;" in event.message


def test_a_pod_of_another_namespace_is_not_named() -> None:
    """The event is for a tenant; the log names it."""
    [event], _ = reports(replace(attached("liar", MAC), namespace="bank"))
    assert "bank" not in event.message


def test_a_static_address_is_refused() -> None:
    [event], _ = reports(conflict=replace(CONFLICT, is_asked_for=True))
    assert event.message.endswith("; it is refused")


def test_a_sandbox_without_a_pod_has_no_event() -> None:
    queued, metrics = reports(conflict=replace(CONFLICT, owner=AddressOwner("c1", "net1")))
    assert queued == []
    assert "netplane_address_conflicts_total" in metrics
