"""What the running kernel has: read from configuration and lists of modules, judged by values."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from planes.cli.doctor.diagnosis import CannotCheck
from planes.cli.doctor.facts.kernel import FeatureState, KernelBuild, KernelFeature, read_kernel
from planes.cli.doctor.judging.kernel_features import judge_kernel
from tests.cli.doctor.values import default_network, nad, only, plane, severities

MACVLAN = KernelFeature("CONFIG_MACVLAN", "macvlan")
FILTERING = KernelFeature("CONFIG_BRIDGE_VLAN_FILTERING")
RELEASE = os.uname().release


def built(**options: str) -> KernelBuild:
    """Return a kernel with a configuration and no modules."""
    return KernelBuild("6.1", options)


@pytest.mark.parametrize(
    ("build", "state"),
    [
        (built(CONFIG_MACVLAN="y"), FeatureState.THERE),
        (built(), FeatureState.ABSENT),
        (built(CONFIG_MACVLAN="m"), FeatureState.UNKNOWN),
        (KernelBuild("6.1", {"CONFIG_MACVLAN": "m"}, has_modules=True), FeatureState.ABSENT),
        (KernelBuild("6.1", loaded=frozenset({"macvlan"})), FeatureState.THERE),
        (KernelBuild("6.1", built_in=frozenset({"macvlan"})), FeatureState.THERE),
        (
            KernelBuild("6.1", on_disk=frozenset({"macvlan"}), has_modules=True),
            FeatureState.LOADABLE,
        ),
        (KernelBuild("6.1", has_modules=True), FeatureState.ABSENT),
        (KernelBuild("6.1"), FeatureState.UNKNOWN),
    ],
)
def test_a_module_is_there_loadable_absent_or_unknown(
    build: KernelBuild, state: FeatureState
) -> None:
    assert build.state_of(MACVLAN) is state


def test_what_is_no_module_shows_in_the_configuration_only() -> None:
    assert built(CONFIG_BRIDGE_VLAN_FILTERING="y").state_of(FILTERING) is FeatureState.THERE
    assert built().state_of(FILTERING) is FeatureState.ABSENT
    assert KernelBuild("6.1", has_modules=True).state_of(FILTERING) is FeatureState.UNKNOWN


def test_a_kernel_without_what_planes_need_is_found() -> None:
    networks = [
        plane(network={"type": "ipvlan", "master": "eth1"}),
        plane("v", network={"type": "vlan", "master": "eth1", "vlan": 5}),
        nad("w", type="bridge", vlan=5),
        nad("x", plugins=[{"type": "macvlan"}, {"type": "bandwidth"}, {"type": "vrf"}]),
        nad("y", type="dummy"),
    ]
    there = built(CONFIG_BRIDGE="y", CONFIG_VETH="y", CONFIG_MACVLAN="y", CONFIG_NET_SCH_TBF="y")
    found = list(judge_kernel(networks, there, ["nft"]))
    lacking = {one.what.split(" lacks ")[1].partition(",")[0] for one in found}
    assert lacking == {
        *("CONFIG_IPVLAN", "CONFIG_VLAN_8021Q", "CONFIG_BRIDGE_VLAN_FILTERING", "CONFIG_IFB"),
        *("CONFIG_NET_VRF", "CONFIG_DUMMY", "CONFIG_NET_SCH_INGRESS", "CONFIG_NET_ACT_MIRRED"),
    }
    assert set(severities(found)) == {"error"}


def test_a_module_that_is_not_installed_is_named_with_its_package() -> None:
    build = KernelBuild("6.1-cloud", {"CONFIG_MACVLAN": "m"}, has_modules=True)
    assert "linux-modules-extra-6.1-cloud" in only(judge_kernel([plane()], build, [])).mend


def test_rules_need_nft_or_iptables() -> None:
    network = default_network(plugins=[{"type": "bridge"}, {"type": "portmap"}])
    there = built(CONFIG_BRIDGE="y", CONFIG_VETH="y", CONFIG_IP_NF_IPTABLES="y")
    assert "neither nft nor iptables" in only(judge_kernel([network], there, [])).what
    assert not list(judge_kernel([network], there, ["iptables"]))
    assert "lacks what nft need" in only(judge_kernel([network], there, ["nft"])).what


def test_a_kernel_that_shows_nothing_is_not_checked() -> None:
    with pytest.raises(CannotCheck, match="shows neither its configuration nor its modules"):
        list(judge_kernel([plane()], KernelBuild("6.1"), []))


def test_the_packed_configuration_of_the_running_kernel_is_read(tmp_path: Path) -> None:
    text = b"CONFIG_MACVLAN=m\n# CONFIG_IPVLAN is not set\nCONFIG_VETH=y\nCONFIG_X=12\n"
    (tmp_path / "config.gz").write_bytes(gzip.compress(text))
    (tmp_path / "modules").write_text("macvlan 28672 0 - Live 0x0\n")
    build = read_kernel(str(tmp_path), str(tmp_path))
    assert build.options == {"CONFIG_MACVLAN": "m", "CONFIG_VETH": "y"}
    assert build.loaded == {"macvlan"}
    assert not build.has_modules


def test_lists_of_modules_are_those_below_the_root_of_the_node(tmp_path: Path) -> None:
    """Names have - or _, and files may be packed."""
    folder = tmp_path / "root/usr/lib/modules" / RELEASE
    folder.mkdir(parents=True)
    (tmp_path / "root/lib").symlink_to("/usr/lib")
    (folder / "modules.builtin").write_text("kernel/net/8021q/8021q.ko\n")
    dep = "kernel/drivers/net/macvlan.ko.xz: kernel/x.ko\nkernel/net/sched/act-mirred.ko.zst:\n"
    (folder / "modules.dep").write_text(dep)
    build = read_kernel(str(tmp_path / "root"), str(tmp_path))
    assert build.built_in == {"8021q"}
    assert build.on_disk == {"macvlan", "act_mirred"}
    assert build.has_modules


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"\xff\xfe" * 100)[:40]])
def test_a_configuration_that_is_damaged_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.gz").write_bytes(content)
    read_kernel(str(tmp_path), str(tmp_path))


def test_a_fifo_in_the_place_of_the_configuration_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.gz")
    os.mkfifo(tmp_path / "modules")
    assert read_kernel(str(tmp_path), str(tmp_path)).options is None
