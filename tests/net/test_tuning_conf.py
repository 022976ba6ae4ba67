"""What a netconf of `tuning` may name: sysctls of the sandbox, by the administrator's list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.native.types.tuning_conf import read_tuning_conf, sysctl_path
from cni.native.types.tuning_files import ALLOW_LIST, check_allowed
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Denied, Internal, PlanesError
from planes.model.wire.netconf import NetConf

CALL = Call("c0ffee", "", "net1")


def read(**conf: Any) -> None:
    read_tuning_conf(CALL, NetConf({"type": "tuning", **conf}))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "ipv4/ip_forward"),
        ("net.ipv4.conf.IFNAME.arp_filter", "ipv4/conf/a.b/arp_filter"),
        (".net..ipv4.ip_forward", "ipv4/ip_forward"),
        ("net.ipv4.conf.IFNAME.IFNAME", "ipv4/conf/a.b/IFNAME"),
    ],
)
def test_a_key_is_a_path_as_in_the_reference(key: str, path: str) -> None:
    """Dots are slashes, and the first IFNAME is the interface with its own dots."""
    assert sysctl_path(key, "a.b") == path


@pytest.mark.parametrize(
    "key",
    [
        "",
        "net",
        "kernel.hostname",
        "../kernel/hostname",
        "network.x",
        "net.\0x",
        "net.ipv4.x y",
        "net.x\n",
        "net." + "x" * 300,
    ],
)
def test_a_key_outside_net_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match=r"^cannot set sysctl"):
        sysctl_path(key, "net1")


@pytest.mark.parametrize("ifname", ["..", "../..", "net1"])
@given(st.text(alphabet="./netIFNAMEipv46x", max_size=40))
def test_no_path_leads_out_of_net(ifname: str, key: str) -> None:
    """Whatever the interface is called, and however dots and slashes are placed."""
    try:
        path = sysctl_path(key, ifname)
    except BadInput:
        return
    assert not path.startswith("/")
    assert {"", ".", ".."}.isdisjoint(path.split("/"))


@pytest.mark.parametrize(
    "conf",
    [
        {"sysctl": {f"net.ipv4.x{number}": "1" for number in range(300)}},
        {
            "sysctl": {f"net.ipv4.x{number}": "1" for number in range(200)},
            "args": {"cni": {"sysctl": {f"net.ipv4.y{number}": "1" for number in range(200)}}},
        },
        {"sysctl": {"net.ipv4.x": "1" * 5000}},
        {"sysctl": {"net.ipv4.x": "1\0"}},
        {"sysctl": {"net.ipv4.x": 1}},
        {"sysctl": ["net.ipv4.x"]},
        {"mtu": -1},
        {"mtu": 1 << 31},
        {"txQLen": -1},
        {"txQLen": 1 << 32},
        {"promisc": "on"},
        {"mac": "01:00:5e:00:00:01"},
        {"args": {"cni": {"mtu": "1400"}}},
    ],
    ids=lambda conf: str(conf)[:48],
)
def test_what_is_out_of_bounds_is_refused(conf: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"^cannot "):
        read(**conf)


class TestAllowList:
    @pytest.fixture
    def allow_list(self, tmp_path: Path) -> Path:
        made = tmp_path / ALLOW_LIST[1:]
        made.parent.mkdir(parents=True)
        return made

    def test_without_a_list_every_sysctl_is_allowed(self, tmp_path: Path) -> None:
        check_allowed(["net.ipv4.ip_forward"], str(tmp_path))

    @pytest.mark.parametrize(
        ("line", "key", "is_allowed"),
        [
            ("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$", "net.ipv4.conf.IFNAME.arp_filter", True),
            ("^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$", "net.ipv4.ip_forward", False),
            ("  ip_forward  ", "net.ipv4.ip_forward", True),
            ("^net\\.[[:alnum:]]+\\.ip_forward\\z", "net.ipv4.ip_forward", True),
            ("^net\\.[[:alpha:]]+\\.ip_forward\\z", "net.ipv4.ip_forward", False),
        ],
    )
    def test_a_line_is_a_regular_expression_found_anywhere(
        self, line: str, key: str, is_allowed: bool, tmp_path: Path, allow_list: Path
    ) -> None:
        allow_list.write_text(f"\n{line}\n\n")
        if is_allowed:
            check_allowed([key], str(tmp_path))
        else:
            with pytest.raises(Denied, match="does not allow it"):
                check_allowed(["net.x.ip_forward_", key], str(tmp_path))

    def test_an_empty_list_allows_none(self, tmp_path: Path, allow_list: Path) -> None:
        allow_list.write_text("\n")
        with pytest.raises(Denied):
            check_allowed(["net.ipv4.ip_forward"], str(tmp_path))

    @pytest.mark.parametrize("content", ["net.(", "x" * 70_000])
    def test_a_list_that_cannot_be_read_allows_none(
        self, content: str, tmp_path: Path, allow_list: Path
    ) -> None:
        allow_list.write_text(content)
        with pytest.raises(Internal, match=r"^cannot "):
            check_allowed(["net.ipv4.ip_forward"], str(tmp_path))

    def test_a_directory_in_its_place_allows_none(self, tmp_path: Path, allow_list: Path) -> None:
        allow_list.mkdir()
        with pytest.raises(PlanesError, match=r"^cannot read"):
            check_allowed(["net.ipv4.ip_forward"], str(tmp_path))
