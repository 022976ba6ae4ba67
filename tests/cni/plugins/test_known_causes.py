"""Known errors of plugins get their cause; an ambiguous error stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.plugins.known_causes import cause_of
from planes.model.wire.netconf import NetConf

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
HOST_LOCAL = {"type": "host-local", "dataDir": "/var/lib/cni/x"}


@pytest.mark.parametrize(
    ("kind", "conf", "said", "cause"),
    [
        ("vlan", {}, "failed to create vlan: operation not supported", "has no 8021q"),
        ("ipvlan", {}, "failed to create ipvlan: operation not supported", "has no ipvlan"),
        ("macvlan", {}, "failed to create macvlan: operation not supported", "has no macvlan"),
        ("dummy", {}, "failed to create dummy: operation not supported", "has no dummy"),
        ("vrf", {}, "could not add VRF red: operation not supported", "has no vrf"),
        ("bridge", {}, 'could not add "br0": operation not supported', "has no bridge"),
        (
            "ipvlan",
            {"master": "eth2"},
            'failed to lookup master "eth2": Link not found',
            'this node has no such interface: master "eth2"',
        ),
        (
            "vlan",
            {"master": "net1", "linkInContainer": True},
            'failed to lookup master "net1": Link not found',
            'the pod has no such interface: master "net1"',
        ),
        ("bond", {}, "failed to find link: Link not found", "this node lacks an interface"),
        (
            "macvlan",
            {"master": "eth1"},
            'failed to set "net1" UP: address already in use',
            'another interface on master "eth1"',
        ),
        (
            "ipvlan",
            {"master": "eth1"},
            "failed to create ipvlan: device or resource busy",
            "either macvlans or ipvlans",
        ),
        (
            "macvlan",
            {"master": "eth1", "mode": "passthru"},
            "failed to create macvlan: invalid argument",
            "must be alone on its master",
        ),
        ("vlan", {"master": "eth1"}, "failed to create vlan: file exists", "has each VLAN once"),
        (
            "ipvlan",
            {"name": "n", "ipam": HOST_LOCAL},
            "failed to allocate for range 0: requested IP address 10.0.0.5 is not available in "
            "range set 10.0.0.1-10.0.0.9",
            'each file in "/var/lib/cni/x/n" on this node',
        ),
        (
            "host-local",
            {"name": "n", "ipam": {"type": "host-local"}},
            "failed to allocate for range 0: no IP addresses available in range set: 10.0.0.1-9",
            'each file in "/var/lib/cni/networks/n" on this node',
        ),
    ],
)
def test_a_known_answer_has_its_cause(
    kind: str, conf: dict[str, Any], said: str, cause: str
) -> None:
    found = cause_of(kind, NetConf({"type": kind, **conf}), said)
    assert found is not None
    assert cause in found.text
    assert found.remedy


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("tuning", "failed to create x: operation not supported"),
        ("vlan", "operation not supported"),
        ("macvlan", "failed to create macvlan: invalid argument"),
        ("bridge", 'could not add "br0": file exists'),
        ("own", "Link not found"),
        ("vlan", "broken"),
        ("macvlan", "no IP addresses available in range set: 10.0.0.1-10.0.0.9"),
    ],
)
def test_an_answer_of_several_causes_gets_none(kind: str, said: str) -> None:
    assert cause_of(kind, NetConf({"type": kind}), said) is None


@given(
    st.sampled_from(["vlan", "bond", "macvlan", "host-local"]),
    st.sampled_from(["Link not found", "no IP addresses available in range set", "file exists"]),
    st.dictionaries(st.sampled_from(["master", "mode", "MASTER", "linkInContainer"]), VALUES),
)
def test_no_value_of_a_configuration_breaks_it(kind: str, said: str, conf: dict[str, Any]) -> None:
    found = cause_of(kind, NetConf({"type": kind, **conf}), f"failed to create {kind}: {said}")
    assert found is None or "\n" not in found.text
