"""A MAC that two pods ask for on a network of no plane is warned about, with the other pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.model.decide.decision import decide
from planes.model.objects import Nad, Pod
from planes.model.state.claims import claims_of
from tests.support.model import make_catalog, make_nad, make_namespace, pod_object

MAC = "02:00:00:00:00:11"
NETWORKS = "k8s.v1.cni.cncf.io/networks"


def asks(name: str, mac: str = MAC, network: str = "mv", **more: Any) -> dict[str, Any]:
    element = {"name": network, "mac": mac, **more}
    return pod_object(name, annotations={NETWORKS: json.dumps([element])})


def told(pod: dict[str, Any], *others: dict[str, Any], nads: list[Nad] | None = None) -> list[str]:
    conf = {"cniVersion": "1.0.0", "type": "macvlan", "capabilities": {"mac": True}}
    catalog = make_catalog(nads=nads or [make_nad("mv", "shop", conf)], pods=others)
    decision = decide(Pod.from_object(pod), make_namespace(), catalog)
    assert not decision.errors
    return [str(one) for one in decision.warnings if "asks for MAC" in str(one)]


@pytest.mark.parametrize("spelling", [MAC, MAC.upper(), MAC.replace(":", "-"), "0200.0000.0011"])
def test_the_later_of_two_pods_is_warned_and_told_of_the_other(spelling: str) -> None:
    [warning] = told(asks("second"), asks("first", spelling))
    assert f"pod shop/first asks for MAC {MAC} on that network too" in warning
    assert "give each pod a MAC of its own" in warning


def test_a_pod_is_not_its_own_rival_and_the_earlier_one_is_left_alone() -> None:
    assert told(asks("first"), asks("first")) == []
    assert told(asks("first"), asks("first"), asks("second")) == []


@pytest.mark.parametrize(
    "other",
    [
        asks("first", "02:00:00:00:00:12"),
        asks("first", "no-mac"),
        asks("first", network="other"),
        {**asks("first"), "status": {"phase": "Succeeded"}},
        pod_object("first", annotations={NETWORKS: "mv"}),
    ],
)
def test_who_does_not_ask_for_it_there_is_no_rival(other: dict[str, Any]) -> None:
    assert told(asks("second"), other) == []


def test_a_mac_counts_towards_no_quota_of_addresses() -> None:
    claims = claims_of(Pod.from_object(asks("first")))
    assert [used.addresses for used in claims.usage.values()] == [0]
    assert claims.tallies == {}
