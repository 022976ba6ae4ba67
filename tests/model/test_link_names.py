"""Names of links in a configuration: none that the kernel would replace by another."""

from __future__ import annotations

import pytest

from planes.model.errors import BadInput, JsonObject
from planes.model.wire.link_names import LINK_MEMBERS, check_link_names
from planes.model.wire.netconf import parse_conflist


def conflist(plugin: JsonObject) -> JsonObject:
    return {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "x", **plugin}]}


@pytest.mark.parametrize("member", [*LINK_MEMBERS, "BRIDGE", "Master"])
def test_a_name_that_the_kernel_would_number_is_refused(member: str) -> None:
    with pytest.raises(BadInput, match="br%d") as error:
        check_link_names(parse_conflist(conflist({member: "br%d"})))
    assert error.value.cni_code == 7
    check_link_names(parse_conflist(conflist({member: "br0"})))


def test_so_is_one_in_what_flannel_delegates() -> None:
    with pytest.raises(BadInput, match="br%d"):
        check_link_names(parse_conflist(conflist({"delegate": {"bridge": "br%d"}})))


def test_what_is_no_name_is_for_the_plugin_to_refuse() -> None:
    check_link_names(parse_conflist(conflist({"bridge": 7, "master": None})))
