"""IPAM types static and plane, and other types by exec."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cni.ipam.ipams import Ipams
from cni.native.interface import chosen_mac
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, Denied, NotFound, PlanesError, Unavailable
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Interface, Result, Route
from planes.store.protocol import AddressOwner
from tests.support.address_book import FakeAddressBook
from tests.support.node.plugins import NoPlugin, ipams
from tests.support.planes import make_plane


def netconf(ipam: dict[str, Any], version: str = "1.0.0", **more: Any) -> NetConf:
    return NetConf({"cniVersion": version, "name": "n", "type": "macvlan", "ipam": ipam, **more})


def call(*cni_args: tuple[str, str], container_id: str = "c1") -> Call:
    owner = AddressOwner(container_id, "net1", "shop", "cart-0")
    return Call(container_id, "/run/netns/x", "net1", cni_args, owner=owner)


def decided_for(
    plane: str,
    *cni_args: tuple[str, str],
    ips: tuple[str, ...] = (),
    candidates: tuple[str, ...] = (),
) -> Call:
    """Return a call as it comes of a decision for a plane."""
    return replace(call(*cni_args), plane=plane, ips=ips, candidates=candidates)


class RecordingPlugin:
    """An executed IPAM plugin that answers as told and remembers its verbs."""

    def __init__(self, answer: Result | PlanesError) -> None:
        self.answer = answer
        self.verbs: list[str] = []

    async def add(self, call: Call, conf: NetConf) -> Result:
        self.verbs.append("ADD")
        if isinstance(self.answer, PlanesError):
            raise self.answer
        return self.answer

    async def check(self, call: Call, conf: NetConf) -> None:
        self.verbs.append("CHECK")

    async def delete(self, call: Call, conf: NetConf) -> None:
        self.verbs.append("DEL")

    async def status(self, call: Call, conf: NetConf) -> None:
        self.verbs.append("STATUS")


STATIC = {
    "type": "static",
    "addresses": [{"address": "10.1.2.3/24", "gateway": "10.1.2.1"}],
    "routes": [{"dst": "0.0.0.0/0"}],
    "dns": {"nameservers": ["1.1.1.1"]},
}


async def test_static_gives_what_it_is_told() -> None:
    result = await ipams().add(call(), netconf(STATIC))
    assert result.ips == (Address("10.1.2.3/24", "10.1.2.1"),)
    assert result.routes == (Route("0.0.0.0/0"),)
    assert result.dns.nameservers == ("1.1.1.1",)


async def test_cni_args_add_addresses_and_gateways() -> None:
    args = (("IP", "10.1.5.6/24, fd00::6/64"), ("GATEWAY", "10.1.5.1,fd00::1"))
    result = await ipams().add(call(*args), netconf(STATIC))
    assert result.ips == (
        Address("10.1.2.3/24", "10.1.2.1"),
        Address("10.1.5.6/24", "10.1.5.1"),
        Address("fd00::6/64", "fd00::1"),
    )


async def test_args_replace_and_runtime_config_replaces_all() -> None:
    args = {"cni": {"ips": ["10.1.7.7/24"]}}
    conf = netconf(STATIC, args=args)
    assert (await ipams().add(call(("IP", "10.1.5.6/24")), conf)).ips == (Address("10.1.7.7/24"),)
    conf = netconf(STATIC, args=args, runtimeConfig={"ips": ["10.1.8.8/24"]})
    assert (await ipams().add(call(), conf)).ips == (Address("10.1.8.8/24"),)


@pytest.mark.parametrize("text", ["10.1.2.3", "10.1.2.3/33", "x/24", ""])
async def test_static_addresses_need_a_prefix_length(text: str) -> None:
    with pytest.raises(BadInput):
        await ipams().add(call(), netconf({"type": "static", "addresses": [{"address": text}]}))


async def test_unknown_cni_args_are_refused_unless_ignored() -> None:
    with pytest.raises(BadInput, match="unknown args"):
        await ipams().add(call(("IPS", "10.1.5.6/24")), netconf(STATIC))
    args = (("IgnoreUnknown", "True"), ("K8S_POD_NAME", "x"))
    assert (await ipams().add(call(*args), netconf(STATIC))).ips


async def test_old_versions_have_one_address_per_family() -> None:
    two = {"type": "static", "addresses": [{"address": "10.1.2.3/24"}, {"address": "10.1.3.3/24"}]}
    with pytest.raises(BadInput, match="does not support more than 1 address per family"):
        await ipams().add(call(), netconf(two, "0.2.0"))


async def test_static_check_compares_gateways() -> None:
    previous = Result(ips=(Address("10.1.2.3/24", "10.1.2.9"),)).to_version("1.0.0")
    with pytest.raises(Conflict, match=r"its gateway is 10\.1\.2\.9, not 10\.1\.2\.1"):
        await ipams().check(call(), netconf(STATIC, prevResult=previous))


PLANE = {"type": "plane", "plane": "business"}


def with_plane(**spec: Any) -> tuple[Ipams, FakeAddressBook]:
    book = FakeAddressBook()
    catalog = Catalog.build([make_plane("business", **spec)])
    return ipams(book, lambda: catalog), book


SUBNET = {"cidr": "10.5.0.0/24", "gateway": "10.5.0.1", "routes": [{"dst": "10.6.0.0/16"}]}


async def test_plane_addresses_come_from_the_book_with_the_planes_routes() -> None:
    given, book = with_plane(
        subnets=[SUBNET], routes=[{"dst": "10.7.0.0/16", "gw": "10.5.0.9"}], defaultRoute=True
    )
    result = await given.add(decided_for("business"), netconf(PLANE))
    (address,) = result.ips
    assert address.gateway == "10.5.0.1"
    assert address.address.endswith("/24")
    assert result.routes == (
        Route("10.6.0.0/16"),
        Route("10.7.0.0/16", "10.5.0.9"),
        Route("0.0.0.0/0", "10.5.0.1"),
    )
    held = await book.holders("business")
    assert [one.pod for one in held.values()] == ["cart-0"]
    await given.check(call(), netconf(PLANE))
    await given.release(call(), netconf(PLANE))
    await given.release(call(), netconf(PLANE))
    assert await book.holders("business") == {}
    with pytest.raises(NotFound):
        await given.check(call(), netconf(PLANE))


@pytest.mark.parametrize(
    "decided",
    [{"ips": ("10.5.0.50/24",)}, {"candidates": ("10.5.0.50", "10.5.0.51")}],
    ids=["addresses", "candidates"],
)
async def test_addresses_of_a_plane_are_those_that_were_decided(
    decided: dict[str, tuple[str, ...]],
) -> None:
    """CNI_ARGS, `runtimeConfig` and `args` ask for nothing here: a tenant may write them."""
    given, _book = with_plane(subnets=[SUBNET], staticIPs={"allow": "Any"})
    conf = netconf(
        PLANE,
        runtimeConfig={"ips": ["10.5.0.60/24"], "candidates": ["10.5.0.61"]},
        args={"cni": {"ips": ["10.5.0.62/24"]}},
    )
    result = await given.add(decided_for("business", ("IP", "10.5.0.63"), **decided), conf)
    assert [one.ip for one in result.ips] == ["10.5.0.50"]


@pytest.mark.parametrize("plane", ["", "other"])
async def test_addresses_of_a_plane_go_to_its_own_attachments_only(plane: str) -> None:
    given, book = with_plane(subnets=[SUBNET])
    with pytest.raises(Denied, match="its network is not the plane's"):
        await given.add(decided_for(plane), netconf(PLANE))
    assert await book.holders("business") == {}


async def test_an_unknown_plane_is_named() -> None:
    given, _book = with_plane(subnets=[SUBNET])
    for step in (given.add, given.status):
        with pytest.raises(NotFound, match="there is no plane 'other'"):
            await step(call(), netconf({"type": "plane", "plane": "other"}))


async def test_other_types_are_executed_with_the_whole_configuration() -> None:
    """A delegate's interfaces and indexes are not the main plugin's."""
    answer = Result(
        (Interface("x"),), (Address("10.1.2.3/24", interface=0),), (Route("0.0.0.0/0"),)
    )
    plugin = RecordingPlugin(answer)
    given = ipams(lookup=lambda _type: plugin)
    conf = netconf({"type": "whereabouts"})
    result = await given.add(call(), conf)
    assert result == Result((), (Address("10.1.2.3/24"),), (Route("0.0.0.0/0"),))
    await given.check(call(), conf)
    await given.release(call(), conf)
    await given.status(call(), conf)
    assert plugin.verbs == ["ADD", "CHECK", "DEL", "STATUS"]
    assert given.handles("static")
    assert not given.handles("whereabouts")


async def test_a_delegate_whose_add_failed_is_told_to_delete() -> None:
    plugin = RecordingPlugin(Unavailable("cannot reach it"))
    with pytest.raises(Unavailable):
        await ipams(lookup=lambda _type: plugin).add(call(), netconf({"type": "dhcp"}))
    assert plugin.verbs == ["ADD", "DEL"]


async def test_a_disabled_type_goes_to_its_binary() -> None:
    plugin = RecordingPlugin(Result(ips=(Address("10.1.2.3/24"),)))
    book: Any = None
    given = Ipams(book, book, lambda _type: plugin, disabled=["static"])
    assert not given.handles("static")
    await given.add(call(), netconf(STATIC))
    assert plugin.verbs == ["ADD"]


def test_a_plane_gives_its_addresses_where_every_type_is_executed() -> None:
    book: Any = None
    given = Ipams(book, book, NoPlugin(), disabled=["plane", "static"])
    assert [kind for kind in ("plane", "static") if given.handles(kind)] == ["plane"]


@pytest.mark.parametrize("mac", ["01:00:5e:00:00:01", "00:00:00:00:00:00", "nonsense", "c2:11:22"])
def test_a_mac_no_interface_can_have_is_refused(mac: str) -> None:
    with pytest.raises(BadInput):
        chosen_mac("", mac)


def test_the_first_mac_that_is_set_wins() -> None:
    assert chosen_mac("", "C2-11-22-33-44-55", "c2:11:22:33:44:66") == "c2:11:22:33:44:55"
    assert chosen_mac("", "") == ""
