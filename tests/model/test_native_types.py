"""Which binaries a network needs."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.wire.native_types import Executed, executed_by
from planes.model.wire.netconf import parse_conflist


def needed(*plugins: dict[str, Any], version: str = "1.0.0") -> tuple[Executed, ...]:
    conf = {"cniVersion": version, "name": "n", "plugins": list(plugins)}
    return executed_by(parse_conflist(conf, what="the test"))


def test_a_chain_of_our_types_needs_no_binary() -> None:
    assert needed({"type": "macvlan", "ipam": {"type": "host-local"}}, {"type": "tuning"}) == ()


def test_a_foreign_type_is_executed_with_its_ipam() -> None:
    assert needed({"type": "ovs", "ipam": {"type": "whereabouts"}}) == (Executed("ovs"),)


def test_a_foreign_ipam_of_our_type_is_executed() -> None:
    assert needed({"type": "macvlan", "ipam": {"type": "dhcp"}}) == (Executed("dhcp", "IPAM"),)


@pytest.mark.parametrize(
    ("plugin", "why"),
    [
        (
            {"type": "host-device", "device": "e", "useInterfaceNetwork": True},
            "useInterfaceNetwork",
        ),
        ({"type": "firewall", "backend": "firewalld"}, "firewalld"),
    ],
)
def test_a_setting_that_we_leave_to_the_binary_is_named(plugin: dict[str, Any], why: str) -> None:
    assert needed(plugin) == (Executed(plugin["type"], why),)
