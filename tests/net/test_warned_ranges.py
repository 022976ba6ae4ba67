"""Each warning of admission about host-local ranges is an ADD that the node refuses."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cni.ipam.ranges import range_sets
from planes.model.errors import BadInput
from planes.model.state.nad_facts import nad_facts
from planes.model.state.nad_values import refused_values
from planes.model.wire.netconf import NetConf
from tests.support.model import make_nad

SUBNETS = st.sampled_from(["10.0.0.0/24", "10.0.0.5/24", "10.0.0.4/31", "fd00::/64", "10.0.0", ""])
ADDRESSES = st.sampled_from(["10.0.0.9", "10.0.0.3", "10.1.0.3", "fd00::9", "10.0.0.9.1", "", 7])
RANGES = st.fixed_dictionaries(
    {"subnet": SUBNETS},
    optional={"rangeStart": ADDRESSES, "rangeEnd": ADDRESSES, "gateway": ADDRESSES},
)


@given(RANGES, st.booleans())
def test_a_range_is_warned_about_where_the_node_refuses_it(
    one: dict[str, Any], is_nested: bool
) -> None:
    ipam: dict[str, Any] = {"type": "host-local", **({"ranges": [[one]]} if is_nested else one)}
    config = {"cniVersion": "1.0.0", "name": "n", "type": "macvlan", "ipam": ipam}
    nad = make_nad("x", "shop", config)
    fails = any("fails on its node" in str(one) for one in refused_values(nad, nad_facts(nad)))
    try:
        range_sets(NetConf(config))
    except BadInput:
        is_refused = True
    else:
        is_refused = False
    # Without any range at all addresses may still come from the runtime (ipRanges).
    assert fails == is_refused or (not is_nested and not one["subnet"])
