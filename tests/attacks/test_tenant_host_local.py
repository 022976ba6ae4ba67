"""A tenant who may write NADs gives host-local and flannel paths and lists of their choice."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cni.host.data_dirs import DataDirs
from cni.ipam.host_local import HostLocal
from cni.ipam.host_local_files import HostLocalFiles
from cni.ipam.static import Static
from cni.plugins.plugin import Call
from planes.model.bounds import MAX_IPS_OF_NETCONF, MAX_RANGES, MAX_ROUTES
from planes.model.errors import BadInput, NotFound, PlanesError, Unavailable
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import parse_result

CALL = Call("c1", "/run/netns/x", "net1")


def conf(allowed: Path, **ipam: Any) -> NetConf:
    whole = {"type": "host-local", "dataDir": str(allowed), "subnet": "10.1.0.0/16", **ipam}
    return NetConf({"cniVersion": "1.0.0", "name": "n", "type": "macvlan", "ipam": whole})


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    made = tmp_path / "allowed"
    made.mkdir()
    return made


@pytest.fixture
def host_local(allowed: Path) -> HostLocal:
    return HostLocal(HostLocalFiles(), DataDirs((str(allowed),)))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/proc/kmsg", "/etc", "/no\0where"])
def test_tenant_resolv_conf_reads_no_device_and_no_directory(
    host_local: HostLocal, allowed: Path, path: str
) -> None:
    try:
        result = host_local.take(CALL, conf(allowed, resolvConf=path))
    except NotFound:
        return
    assert not result.dns, "a file of /proc says that it is empty"


def test_tenant_resolv_conf_waits_for_no_fifo(
    host_local: HostLocal, allowed: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NotFound, match="no regular file"):
        host_local.take(CALL, conf(allowed, resolvConf=str(tmp_path / "fifo")))


def test_tenant_resolv_conf_reads_no_large_file(
    host_local: HostLocal, allowed: Path, tmp_path: Path
) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotFound, match="larger than 65536 bytes"):
        host_local.take(CALL, conf(allowed, resolvConf=str(tmp_path / "large")))


def test_tenant_resolv_conf_may_be_a_link_as_etc_resolv_conf_is(
    host_local: HostLocal, allowed: Path, tmp_path: Path
) -> None:
    (tmp_path / "real").write_text("nameserver 192.0.2.1\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    result = host_local.take(CALL, conf(allowed, resolvConf=str(tmp_path / "link")))
    assert result.dns.nameservers == ("192.0.2.1",)


@pytest.mark.parametrize(
    "data_dir",
    ["/etc", "/", "relative", "{allowed}/../outside", "{allowed}/link", "/a\0b"],
)
def test_tenant_data_dir_lies_where_the_administrator_allows(
    host_local: HostLocal, allowed: Path, tmp_path: Path, data_dir: str
) -> None:
    (tmp_path / "outside").mkdir()
    (allowed / "link").symlink_to(tmp_path / "outside")
    given = conf(Path(), dataDir=data_dir.format(allowed=allowed))
    with pytest.raises(BadInput, match="not below") as error:
        host_local.take(CALL, given)
    assert "--data-dirs" in error.value.remedy
    host_local.give_back(CALL, given)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["allowed", "link", "outside"]


@pytest.mark.parametrize("name", ["../../etc", "..", "a/b", ".hidden", "/etc"])
def test_tenant_network_name_leads_nowhere_else(
    host_local: HostLocal, allowed: Path, name: str
) -> None:
    given = conf(allowed / "x")
    with pytest.raises(BadInput, match="network name"):
        host_local.take(CALL, NetConf({**given.raw, "name": name}))


def test_tenant_network_directory_is_no_link_out(
    host_local: HostLocal, allowed: Path, tmp_path: Path
) -> None:
    """Whoever laid it: what is below the allowed directory stays below it."""
    (tmp_path / "outside").mkdir()
    (allowed / "x").mkdir()
    (allowed / "x" / "n").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="not below"):
        host_local.take(CALL, conf(allowed / "x"))
    assert list((tmp_path / "outside").iterdir()) == []


def test_tenant_files_of_a_network_are_opened_only_where_they_are_files(
    host_local: HostLocal, allowed: Path, tmp_path: Path
) -> None:
    network = allowed / "x" / "n"
    network.mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text("precious")
    for name in ("10.1.0.2", "last_reserved_ip.0"):
        os.mkfifo(network / name)
    (network / "10.1.0.3").symlink_to(secret)
    (network / "10.1.0.4").mkdir()
    with pytest.raises(PlanesError, match="cannot keep addresses"):  # the note of the last one
        host_local.take(CALL, conf(allowed / "x"))
    (network / "last_reserved_ip.0").unlink()
    (network / "last_reserved_ip.0").symlink_to(secret)
    with pytest.raises(PlanesError, match="cannot keep addresses"):
        host_local.take(CALL, conf(allowed / "x"))
    host_local.give_back(CALL, conf(allowed / "x"))
    assert secret.read_text() == "precious"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_tenant_lock_is_a_file_or_refused(host_local: HostLocal, allowed: Path, make: Any) -> None:
    network = allowed / "x" / "n"
    network.mkdir(parents=True)
    make(network / "lock")
    with pytest.raises(PlanesError, match="cannot keep addresses"):
        host_local.take(CALL, conf(allowed / "x"))


@contextmanager
def foreign_lock(network: Path) -> Iterator[None]:
    network.mkdir(parents=True)
    handle = os.open(network / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def test_tenant_lock_that_somebody_keeps_holds_up_one_thread_for_a_while(
    host_local: HostLocal, allowed: Path
) -> None:
    """Ten wait for it: one for some seconds, the others are refused sooner."""
    refused: list[float] = []

    def take(number: int) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="keeps them locked"):
            host_local.take(Call(f"c{number}", "", "net1"), conf(allowed / "x"))
        refused.append(time.monotonic() - began)

    with foreign_lock(allowed / "x" / "n"):
        threads = [threading.Thread(target=take, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(refused) == 10
    assert sorted(refused)[8] < sorted(refused)[9] < 60
    host_local.take(CALL, conf(allowed / "x"))


def test_tenant_ranges_are_bounded(host_local: HostLocal, allowed: Path) -> None:
    ranges = [[{"subnet": f"10.{n >> 8}.{n & 255}.0/24"}] for n in range(4000)]
    with pytest.raises(BadInput, match=f"at most {MAX_RANGES}"):
        host_local.take(CALL, conf(allowed / "x", ranges=ranges))
    with pytest.raises(BadInput, match=f"at most {MAX_RANGES}"):
        host_local.take(CALL, conf(allowed / "x", ranges=[[] for _ in range(4000)]))


def test_tenant_ranges_as_many_as_allowed_are_compared_at_once(
    host_local: HostLocal, allowed: Path
) -> None:
    sets = [[{"subnet": f"10.2.{n}.0/24"} for n in range(MAX_RANGES - 1)]]
    assert host_local.take(CALL, conf(allowed / "x", ranges=sets)).ips
    overlapping = [[*sets[0][1:], {"subnet": "10.2.7.128/25"}]]
    with pytest.raises(BadInput, match="overlaps"):
        host_local.take(CALL, conf(allowed / "x", subnet="", ranges=overlapping))


def test_tenant_full_network_of_any_size_is_refused_without_a_walk(
    host_local: HostLocal, allowed: Path
) -> None:
    """A /8 whose only free address is asked for again and again is searched, never walked."""
    given = conf(allowed / "x", subnet="10.0.0.0/8")
    found = [host_local.take(Call(f"c{n}", "", "net1"), given).ips[0].ip for n in range(3)]
    assert found == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_tenant_lists_of_a_netconf_are_bounded(host_local: HostLocal, allowed: Path) -> None:
    routes = [{"dst": "10.0.0.0/8"}] * (MAX_ROUTES + 1)
    with pytest.raises(BadInput, match="routes"):
        host_local.take(CALL, conf(allowed / "x", routes=routes))
    many = ["10.1.0.9"] * (MAX_IPS_OF_NETCONF + 1)
    asked = {**conf(allowed / "x").raw, "args": {"cni": {"ips": many}}}
    with pytest.raises(BadInput, match="addresses"):
        host_local.take(CALL, NetConf(asked))
    declared = [{"address": "10.1.0.9/24"}] * (MAX_IPS_OF_NETCONF + 1)
    with pytest.raises(BadInput, match="addresses"):
        Static().take(CALL, NetConf({"ipam": {"type": "static", "addresses": declared}}))


@pytest.mark.parametrize("member", ["interfaces", "ips", "routes"])
def test_tenant_plugin_result_is_bounded(member: str) -> None:
    element = {
        "interfaces": {"name": "x"},
        "ips": {"address": "10.1.0.9/24"},
        "routes": {"dst": "10.0.0.0/8"},
    }[member]
    with pytest.raises(BadInput, match="at most"):
        parse_result({member: [element] * 5000}, default_version="1.0.0")
