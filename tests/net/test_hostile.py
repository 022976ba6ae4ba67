"""Any netconf gives a value or one typed error; never a traceback, never a hang."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni.ipam.ranges import range_sets
from cni.ipam.requested import bare, declared_routes, from_args, from_runtime, ipam_fields
from cni.native.interface import MacSources, chosen_mac
from cni.native.masquerade import Masquerade
from cni.native.packet_filter import PacketFilter
from cni.native.plugin import NativeType
from cni.native.spoof_check import SpoofCheck
from cni.native.types.bridge import Bridge
from cni.native.types.bridge_conf import read_bridge_conf, with_gateways
from cni.native.types.dummy import Dummy
from cni.native.types.flannel_conf import delegate_conf, parse_lease, read_flannel_conf
from cni.native.types.loopback import Loopback
from cni.native.types.ptp import PointToPoint
from cni.net.execute import Tools
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Result
from tests.net.test_flannel import LEASE

TEXTS = st.sampled_from(
    ["", "10.1.2.0/24", "10.1.2.3", "fd00::/64", "::ffff:10.1.2.3/120", "0.0.0.0/0", "x", "é", "\0"]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | TEXTS
KEYS = st.sampled_from(
    [
        *("type", "bridge", "mtu", "vlan", "vlanTrunk", "mac", "mode", "ipam", "runtimeConfig"),
        *("args", "cni", "ips", "ipRanges", "ranges", "subnet", "rangeStart", "rangeEnd"),
        *("gateway", "routes", "dst", "gw", "dns", "nameservers", "isGateway", "name", "MTU"),
        *("isDefaultGateway", "hairpinMode", "delegate", "dataDir", "IPAM", "addresses"),
        *("minID", "maxID", "id", "macspoofchk", "ipMasq", "ipMasqBackend", "prevResult"),
        *("interfaces", "interface", "address", "sandbox", "cniVersion", "dns"),
        *("minID", "maxID", "id", "macspoofchk", "ipMasq", "ipMasqBackend", "prevResult"),
    ]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)
CONFS = st.dictionaries(KEYS, VALUES, max_size=8)
CALL = Call("c1", "/run/netns/x", "net1")
NO_KERNEL: Any = None  # no step is carried out here
MASQUERADE = Masquerade(PacketFilter(NO_KERNEL, Tools()))
NATIVES: tuple[NativeType, ...] = (
    Bridge(MASQUERADE, SpoofCheck(PacketFilter(NO_KERNEL, Tools()))),
    PointToPoint(MASQUERADE),
    Dummy(),
    Loopback(),
)
RESULT = Result(ips=(Address("10.1.2.3/24"), Address("fd00::5/64", "fd00::1")))


def readers(conf: NetConf) -> list[Any]:
    return [
        lambda: with_gateways(read_bridge_conf(CALL, conf), RESULT),
        lambda: range_sets(conf),
        lambda: declared_routes(ipam_fields(conf)),
        lambda: [bare(text) for text in (*from_args(conf), *from_runtime(conf))],
        lambda: chosen_mac(MacSources.of(CALL, conf).conf),
        lambda: delegate_conf(read_flannel_conf(conf), parse_lease(LEASE, "subnet.env")),
    ]


@given(CONFS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_type_refuses_a_netconf_before_its_first_step_and_detaches_any(
    raw: dict[str, Any],
) -> None:
    conf = NetConf(raw)
    for native in NATIVES:
        with suppress(PlanesError):
            next(native.attach(CALL, conf))
        assert native.unsupported(conf) == ""
        native.leaves(CALL, conf)
        next(native.detach(CALL, conf), None)


@given(CONFS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_netconf_is_read_or_refused(raw: dict[str, Any]) -> None:
    for read in readers(NetConf(raw)):
        try:
            read()
        except PlanesError:
            continue
