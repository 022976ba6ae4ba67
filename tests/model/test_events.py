"""Events have Multus' words and the API's form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from planes.model.events import Event, added_interface, event_name, no_network_found, to_object
from planes.model.wire.result import Address, Interface, Result

DATA = Path(__file__).parents[1] / "data" / "multus"
SHARED = Path(__file__).parents[3] / "shared" / "examples" / "multus-node"
UID = "11111111-2222-3333-4444-555555555555"


def added(*addresses: str, ifname: str = "net1", network: str = "shop/business") -> Event:
    result = Result((Interface(ifname),), tuple(map(Address, addresses)))
    event = added_interface("shop", "app-0", UID, ifname, result=result, network_name=network)
    assert event is not None
    return event


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            added("10.244.1.5/24", "fd00::5/64", ifname="eth0", network="kindnet"),
            "Add eth0 [10.244.1.5/24 fd00::5/64] from kindnet",
        ),
        (
            added("10.1.1.11/24", network="default/macvlan1-config"),
            "Add net1 [10.1.1.11/24] from default/macvlan1-config",
        ),
        (added(), "Add net1 [] from shop/business"),
        (added("10.1.1.11/24", network=""), "Add net1 [10.1.1.11/24]"),
    ],
)
def test_an_added_interface_is_told_in_multus_words(event: Event, message: str) -> None:
    assert event == Event("AddedInterface", message, "Normal", "shop", "app-0", UID)


def test_a_result_with_addresses_only_is_told_too() -> None:
    event = added_interface(
        "s", "p", "", "net1", result=Result(ips=(Address("10.1.1.11/24"),)), network_name="n"
    )
    assert event is not None
    assert event.message == "Add net1 [10.1.1.11/24] from n"


def test_an_empty_result_is_no_event() -> None:
    assert added_interface("s", "p", "", "net1", result=Result(), network_name="n") is None


def test_a_missing_network_is_told_in_multus_words() -> None:
    event = no_network_found("shop", "app-0", UID, ("shop", "biz"), "50% done, not found")
    assert event.message == (
        "cannot find a network-attachment-definition (biz) in namespace (shop): 50% done, not found"
    )
    assert (event.reason, event.type) == ("NoNetworkFound", "Warning")


def test_the_object_is_the_golden_one() -> None:
    event = added("192.168.100.10/24", "fd00:100::a/64")
    name = event_name(event, 0x18EA01D536ABB9B3)
    obj = to_object(event, name=name, now_rfc3339="2026-03-01T12:00:00Z")
    assert obj == json.loads((DATA / "event.json").read_text())


def test_an_unknown_uid_is_left_out_and_a_host_is_named() -> None:
    event = Event("PlaneDenied", "m", "Warning", "shop", "app-0", "")
    obj = to_object(event, name="n", now_rfc3339="2026-03-01T12:00:00Z", host="node-1")
    assert "uid" not in obj["involvedObject"]
    assert obj["source"] == {"component": "netplane", "host": "node-1"}
    assert obj["reportingInstance"] == "node-1"


def test_multus_own_events_are_made_again_but_for_the_component_and_what_the_server_adds() -> None:
    source = SHARED / "events.json"
    if not source.exists():
        pytest.skip("the shared examples are not beside the project")
    for theirs in json.loads(source.read_text()):
        pod = theirs["involvedObject"]
        words = re.fullmatch(r"Add (\S+) \[(.*)\] from (\S+)", theirs["message"])
        assert words is not None
        result = Result(ips=tuple(map(Address, words[2].split())))
        event = added_interface(
            pod["namespace"],
            pod["name"],
            pod["uid"],
            words[1],
            result=result,
            network_name=words[3],
        )
        assert event is not None
        time, name = theirs["firstTimestamp"], theirs["metadata"]["name"]
        ours = to_object(event, name=name, now_rfc3339=time)
        del pod["resourceVersion"], theirs["metadata"]["uid"]
        theirs["reportingComponent"] = theirs["source"]["component"] = "netplane"
        assert ours == theirs
