"""IPAM host-local: ranges, the order of addresses, files, refusals."""

from __future__ import annotations

import asyncio
import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.ipam.host_local import HostLocal, read_resolv_conf
from cni.ipam.host_local_files import HostLocalFiles
from cni.ipam.ranges import range_sets
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, Exhausted, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Route
from tests.support.node.plugins import ANYWHERE

CALL = Call("c1", "/run/netns/x", "net1")


def netconf(directory: Path | str, version: str = "1.0.0", **more: Any) -> NetConf:
    ipam = {"type": "host-local", "dataDir": str(directory), **more.pop("ipam", {})}
    return NetConf({"cniVersion": version, "name": "n", "type": "macvlan", "ipam": ipam, **more})


def ranges(*sets: list[dict[str, str]], **more: Any) -> NetConf:
    return netconf("", ipam={"ranges": list(sets)}, **more)


async def addresses(
    host_local: HostLocal, conf: NetConf, count: int, prefix: str = "c"
) -> list[str]:
    found = []
    for number in range(count):
        result = await host_local.add(Call(f"{prefix}{number}", "", "net1"), conf)
        found.append(result.ips[0].ip)
    return found


@pytest.fixture
def host_local() -> HostLocal:
    return HostLocal(HostLocalFiles(), ANYWHERE)


async def test_the_next_address_follows_the_last_one_of_another_program(
    host_local: HostLocal, tmp_path: Path
) -> None:
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"})
    assert await addresses(host_local, conf, 2) == ["10.1.2.2", "10.1.2.3"]
    (tmp_path / "n" / "10.1.2.9").write_text("other\r\neth0")
    (tmp_path / "n" / "last_reserved_ip.0").write_text("10.1.2.9")
    assert await addresses(host_local, conf, 1, "d") == ["10.1.2.10"]


async def test_files_are_those_of_the_reference(host_local: HostLocal, tmp_path: Path) -> None:
    conf = netconf(
        tmp_path, ipam={"subnet": "10.1.2.0/24", "routes": [{"dst": "10.0.0.0/8", "priority": 7}]}
    )
    result = await host_local.add(CALL, conf)
    assert (result.ips[0].address, result.ips[0].gateway) == ("10.1.2.2/24", "10.1.2.1")
    assert result.ips[0].interface is None
    assert result.routes == (Route("10.0.0.0/8", priority=7),)
    file = tmp_path / "n" / "10.1.2.2"
    assert file.read_bytes() == b"c1\r\nnet1"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "n" / "last_reserved_ip.0").read_text() == "10.1.2.2"
    assert (tmp_path / "n" / "lock").exists()
    await host_local.check(CALL, conf)
    await host_local.release(CALL, conf)
    await host_local.release(CALL, conf)
    assert not file.exists()
    with pytest.raises(NotFound):
        await host_local.check(CALL, conf)


async def test_addresses_go_round(host_local: HostLocal, tmp_path: Path) -> None:
    """A released address is not given out again before all others were."""
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/29"})
    assert await addresses(host_local, conf, 3) == ["10.1.2.2", "10.1.2.3", "10.1.2.4"]
    await host_local.release(Call("c0", "", "net1"), conf)
    assert await addresses(host_local, conf, 3, "d") == ["10.1.2.5", "10.1.2.6", "10.1.2.2"]
    with pytest.raises(Exhausted, match=r"no IP addresses available in range set: 10\.1\.2\.1-"):
        await addresses(host_local, conf, 1, "e")


async def test_a_range_set_goes_on_in_its_next_range(host_local: HostLocal, tmp_path: Path) -> None:
    one = {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.10"}
    two = {"subnet": "10.1.3.0/30"}
    conf = netconf(tmp_path, ipam={"ranges": [[one, two]]})
    given = await addresses(host_local, conf, 3)
    assert given == ["10.1.2.9", "10.1.2.10", "10.1.3.2"]
    with pytest.raises(Exhausted):
        await addresses(host_local, conf, 1, "e")


async def test_an_attachment_gets_one_address_once(host_local: HostLocal, tmp_path: Path) -> None:
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"})
    await host_local.add(CALL, conf)
    with pytest.raises(Conflict, match="duplicate allocation is not allowed"):
        await host_local.add(CALL, conf)
    assert (tmp_path / "n" / "10.1.2.2").exists()


async def test_what_is_asked_for_is_given(host_local: HostLocal, tmp_path: Path) -> None:
    """From CNI_ARGS, args.cni and runtimeConfig, with or without prefix length."""
    conf = netconf(
        tmp_path,
        args={"cni": {"ips": ["fd00::55/64"]}},
        ipam={"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00::/64"}]]},
    )
    result = await host_local.add(Call("c1", "", "net1", (("IP", "10.1.2.88"),)), conf)
    assert [one.address for one in result.ips] == ["10.1.2.88/24", "fd00::55/64"]


@pytest.mark.parametrize(
    ("asked", "fault", "text"),
    [
        ("10.1.2.1", BadInput, "requested ip 10.1.2.1 is subnet's gateway"),
        ("10.1.2.77", Conflict, "10.1.2.77 is not available in range set"),
        ("10.9.9.9", BadInput, "cannot allocate all requested IPs: 10.9.9.9"),
        ("nonsense", BadInput, "cannot read"),
    ],
)
async def test_what_cannot_be_given_is_told_and_nothing_is_held(
    asked: str, fault: type[PlanesError], text: str, host_local: HostLocal, tmp_path: Path
) -> None:
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "10.1.2.77").write_text("other\r\nnet1")
    conf = netconf(tmp_path, runtimeConfig={"ips": [asked]}, ipam={"subnet": "10.1.2.0/24"})
    with pytest.raises(fault, match=text.replace(".", r"\.")):
        await host_local.add(CALL, conf)
    left = {path.name for path in (tmp_path / "n").iterdir()} - {"lock", "last_reserved_ip.0"}
    assert left == {"10.1.2.77"}


async def test_files_made_by_others_are_seen_at_once(tmp_path: Path) -> None:
    """The memory of one process gives way to what another did meanwhile."""
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/28"})
    one, other = HostLocal(HostLocalFiles(), ANYWHERE), HostLocal(HostLocalFiles(), ANYWHERE)
    assert await addresses(one, conf, 1, "a") == ["10.1.2.2"]
    assert await addresses(other, conf, 2, "b") == ["10.1.2.3", "10.1.2.4"]
    await other.release(Call("a0", "", "net1"), conf)
    with pytest.raises(NotFound):
        await one.check(Call("a0", "", "net1"), conf)
    assert await addresses(one, conf, 1, "d") == ["10.1.2.5"]
    await one.release(Call("b1", "", "net1"), conf)
    assert not (tmp_path / "n" / "10.1.2.4").exists()


async def test_files_of_the_oldest_format_are_released(
    host_local: HostLocal, tmp_path: Path
) -> None:
    """They name the container only, and may end with white space."""
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "10.1.2.8").write_text("c1\n")
    (tmp_path / "n" / "10.1.2.9").write_text("c11")
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"})
    await host_local.release(CALL, conf)
    assert sorted(path.name for path in (tmp_path / "n").glob("10.*")) == ["10.1.2.9"]


async def test_release_needs_no_valid_ranges(host_local: HostLocal, tmp_path: Path) -> None:
    await host_local.add(CALL, netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"}))
    await host_local.release(CALL, netconf(tmp_path, ipam={"subnet": "broken"}))
    assert not (tmp_path / "n" / "10.1.2.2").exists()


async def test_release_makes_no_directory(host_local: HostLocal, tmp_path: Path) -> None:
    await host_local.release(CALL, netconf(tmp_path / "none", ipam={"subnet": "10.1.2.0/24"}))
    assert not (tmp_path / "none").exists()


async def test_at_once_nobody_gets_the_same(tmp_path: Path) -> None:
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"})
    sides = [HostLocal(HostLocalFiles(), ANYWHERE) for _ in range(3)]
    results = await asyncio.gather(
        *(sides[number % 3].add(Call(f"c{number}", "", "e"), conf) for number in range(60))
    )
    assert len({result.ips[0].ip for result in results}) == 60


async def test_an_unwritable_directory_is_told(host_local: HostLocal, tmp_path: Path) -> None:
    (tmp_path / "n").write_text("a file")
    with pytest.raises(PlanesError, match="cannot keep addresses in"):
        await host_local.add(CALL, netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"}))


def test_runtime_ranges_come_first() -> None:
    conf = NetConf(
        {
            "name": "n",
            "ipam": {"subnet": "10.1.2.0/24", "ranges": [[{"subnet": "10.1.3.0/24"}]]},
            "runtimeConfig": {"ipRanges": [[{"subnet": "10.1.4.0/24"}]]},
        }
    )
    assert [str(one.ranges[0].subnet) for one in range_sets(conf)] == [
        "10.1.4.0/24",
        "10.1.2.0/24",
        "10.1.3.0/24",
    ]


@pytest.mark.parametrize(
    ("sets", "text"),
    [
        ([], "no IP ranges specified"),
        ([[]], "it is empty"),
        ([[{"subnet": "10.1.2.0/31"}]], "too small to allocate from"),
        ([[{"subnet": "10.1.2.3/24"}]], "host bits"),
        ([[{"subnet": "10.1.2.0/24", "rangeStart": "10.1.3.1"}]], "not in network"),
        ([[{"subnet": "10.1.2.0/24", "rangeEnd": "10.1.3.1"}]], "not in network"),
        (
            [[{"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.8"}]],
            "end is before",
        ),
        ([[{"subnet": "10.1.2.0/24"}, {"subnet": "fd00::/64"}]], "mixed address families"),
        ([[{"subnet": "10.1.2.0/24"}, {"subnet": "10.1.2.0/25"}]], "overlaps"),
        ([[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.0.0/16"}]], "overlaps with 1"),
    ],
)
def test_bad_ranges_are_refused(sets: list[list[dict[str, str]]], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        range_sets(ranges(*sets))


async def test_old_versions_have_one_address_per_family(
    host_local: HostLocal, tmp_path: Path
) -> None:
    both = {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]]}
    with pytest.raises(BadInput, match="does not support more than 1 address per family"):
        await host_local.add(CALL, netconf(tmp_path, "0.2.0", ipam=both))


@given(first=st.integers(2, 250), length=st.integers(0, 4), last=st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_every_address_comes_once_wherever_the_round_starts(
    first: int, length: int, last: int
) -> None:
    """All but the gateway, each once, beginning after the last one given out."""
    end = min(first + length, 254)
    conf = ranges(
        [
            {
                "subnet": "10.1.2.0/24",
                "rangeStart": f"10.1.2.{first}",
                "rangeEnd": f"10.1.2.{end}",
            },
            {"subnet": "10.1.3.0/29"},
        ]
    )
    (one,) = range_sets(conf)
    found = [str(address) for address, _range in one.after(ip_address(f"10.1.2.{last}"))]
    assert len(found) == len(set(found)) == (end - first + 1) + 5
    if first <= last < end:
        assert found[0] == f"10.1.2.{last + 1}"


def test_resolver_configuration_is_read_as_the_reference_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# comment\nnameserver 1.1.1.1\nnameserver 2.2.2.2\ndomain a.example\ndomain b.example\n"
        "search x.example y.example\noptions ndots:5\n; other\nnameserver\n"
    )
    dns = read_resolv_conf(str(path))
    assert dns.nameservers == ("1.1.1.1", "2.2.2.2")
    assert dns.domain == "b.example"
    assert dns.search == ("x.example", "y.example")
    assert dns.options == ("ndots:5",)
    with pytest.raises(NotFound):
        read_resolv_conf(str(tmp_path / "none"))


async def test_no_file_is_ever_empty(host_local: HostLocal, tmp_path: Path) -> None:
    """A file appears with its content: a kill in between leaves nothing that blocks an address."""
    conf = netconf(tmp_path, ipam={"subnet": "10.1.2.0/24"})
    stop = False
    sizes: set[int] = set()

    def watch() -> None:
        while not stop:
            for entry in os.scandir(tmp_path):
                for path in Path(entry.path).glob("10.*"):
                    try:
                        sizes.add(path.stat().st_size)
                    except FileNotFoundError:
                        continue

    watching = asyncio.create_task(asyncio.to_thread(watch))
    await addresses(host_local, conf, 100)
    stop = True
    await watching
    assert 0 not in sizes
