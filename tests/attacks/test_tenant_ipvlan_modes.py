"""A tenant that joined a plane of type ipvlan tries to change the mode of everybody's ipvlans."""

from __future__ import annotations

import pytest

from planes.model.errors import JsonObject
from tests.attacks.test_tenant_wires import ask_as_shop, catalog_with, nad
from tests.support.model import make_plane


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize(
    ("more", "is_refused"),
    [
        ({"mode": "l3s"}, True),
        ({}, True),
        ({"mode": "l3", "Mode": "l2"}, True),
        ({"mode": "l3"}, False),
    ],
    ids=str,
)
def test_tenant_that_joined_cannot_change_the_mode_of_all_ipvlans_of_a_wire(
    more: JsonObject, is_refused: bool, is_shared: bool
) -> None:
    """The mode is the master's: the last ipvlan that is made sets it for every pod."""
    network = {"type": "ipvlan", "master": "eth1", "mode": "l3", "shared": is_shared}
    plane = make_plane(network=network)
    own = nad({"type": "ipvlan", "master": "eth1", **more}, namespace="shop")
    decision = ask_as_shop(catalog_with(own, planes=(plane,)))
    said = [one for one in decision.errors if "change the mode of all ipvlans" in one.message]
    assert bool(said) is is_refused
