"""Flannel: the lease becomes the delegate's configuration, kept for DEL."""

from __future__ import annotations

import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.native.registry import native_plugins
from cni.native.types.flannel_conf import delegate_conf, parse_lease, read_flannel_conf
from cni.native.types.flannel_files import KeptNetConf, read_lease
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.decode import loads_object
from planes.model.errors import BadInput, Internal, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import Node
from tests.support.node.plugins import ANYWHERE, NoPlugin, detach, ipams

LEASE = """FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
OTHER=ignored
"""
DUAL = LEASE + "FLANNEL_IPV6_NETWORK=fd00:244::/48\nFLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64\n"


def generated(conf: dict[str, Any], lease: str = LEASE) -> dict[str, Any]:
    given_conf = NetConf({"cniVersion": "0.3.1", "name": "cbr0", "type": "flannel", **conf})
    return delegate_conf(read_flannel_conf(given_conf), parse_lease(lease, "subnet.env")).raw


def test_defaults_make_a_gateway_bridge() -> None:
    assert generated({}) == {
        "name": "cbr0",
        "cniVersion": "0.3.1",
        "type": "bridge",
        "ipMasq": False,
        "mtu": 1450,
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.244.1.0/24"}]],
            "routes": [{"dst": "10.244.0.0/16"}],
        },
    }


def test_delegate_and_ipam_members_win_over_defaults() -> None:
    made = generated(
        {
            "delegate": {"type": "ipvlan", "mtu": 9000, "ipMasq": True},
            "ipam": {"dataDir": "/x", "routes": [{"dst": "10.1.0.0/16"}], "ranges": "gone"},
            "runtimeConfig": {"mac": "c2:11:22:33:44:55"},
        },
        DUAL,
    )
    assert (made["type"], made["mtu"], made["ipMasq"]) == ("ipvlan", 9000, True)
    assert "isGateway" not in made
    assert made["runtimeConfig"] == {"mac": "c2:11:22:33:44:55"}
    assert made["ipam"] == {
        "type": "host-local",
        "dataDir": "/x",
        "ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:244:0:1::/64"}]],
        "routes": [{"dst": "10.1.0.0/16"}, {"dst": "10.244.0.0/16"}, {"dst": "fd00:244::/48"}],
    }


@pytest.mark.parametrize("key", ["name", "ipam"])
def test_generated_members_may_not_be_in_the_delegate(key: str) -> None:
    with pytest.raises(BadInput, match=f"must not contain '{key}'"):
        generated({"delegate": {key: {}}})


def test_all_missing_keys_of_a_lease_are_told() -> None:
    with pytest.raises(NotFound, match=r"FLANNEL_SUBNET.*FLANNEL_MTU, FLANNEL_IPMASQ"):
        parse_lease("FLANNEL_NETWORK=10.0.0.0/8\n", "subnet.env")


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_lease_is_read_or_refused(text: str) -> None:
    try:
        parse_lease(DUAL + text, "subnet.env")
    except PlanesError:
        return


def test_the_lease_is_the_hosts_also_where_it_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lease").write_text(LEASE)
    (tmp_path / "run" / "subnet.env").symlink_to("/run/lease")
    assert read_lease("/run/subnet.env", str(tmp_path)).subnet == "10.244.1.0/24"


def test_state_that_cannot_be_written_anew_stays_as_it_was(tmp_path: Path) -> None:
    before = NetConf(generated({}))
    kept = KeptNetConf(str(tmp_path), "c1", "eth0", "cbr0")
    kept.save(before)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
    try:
        with pytest.raises(Internal, match="cannot keep"):
            kept.save(NetConf(generated({"delegate": {"mtu": 1400}})))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    found = kept.load()
    assert found is not None
    assert found.raw == before.raw


@pytest.mark.kernel
async def test_flannel_attaches_and_detaches_by_what_it_kept(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """DEL goes by the kept configuration: the lease may be another by then, or gone."""
    (tmp_path / "subnet.env").write_text(LEASE)
    conf = NetConf(
        {
            "cniVersion": "0.3.1",
            "name": "cbr0",
            "type": "flannel",
            "subnetFile": str(tmp_path / "subnet.env"),
            "dataDir": str(tmp_path / "flannel"),
            "delegate": {"hairpinMode": True, "isDefaultGateway": True},
            "ipam": {"dataDir": str(tmp_path / "networks")},
        }
    )
    flannel = native_plugins(kernel, ipams(), NoPlugin(), dirs=ANYWHERE)["flannel"]
    call = Call("c0ffee", a_node.sandbox.path, "eth0")
    result = await flannel.add(call, conf)
    kept = tmp_path / "flannel" / "c0ffee"
    assert result.ips[0].address == "10.244.1.2/24"
    assert "default via 10.244.1.1" in a_node.sandbox.ip("route")
    assert a_node.sandbox.ip_json("link", "show", "eth0")[0]["mtu"] == 1450
    assert kept.stat().st_mode & 0o777 == 0o600
    assert loads_object(kept.read_bytes(), "state")["type"] == "bridge"
    (tmp_path / "subnet.env").unlink()
    await kernel.remove_links(a_node.sandbox.path, flannel.links(call, conf))
    await flannel.release(call, conf)
    await detach(kernel, flannel, call, conf)
    assert not kept.exists()
    assert list((tmp_path / "networks" / "cbr0").glob("10.*")) == []


@pytest.mark.kernel
async def test_a_failed_add_keeps_no_state(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    (tmp_path / "subnet.env").write_text(LEASE)
    conf = NetConf(
        {
            "cniVersion": "0.3.1",
            "name": "cbr0",
            "type": "flannel",
            "subnetFile": str(tmp_path / "subnet.env"),
            "dataDir": str(tmp_path / "flannel"),
            "delegate": {"bridge": "eth1"},
        }
    )
    flannel = native_plugins(kernel, ipams(), NoPlugin(), dirs=ANYWHERE)["flannel"]
    with pytest.raises(PlanesError, match="not a bridge"):
        await flannel.add(Call("c0ffee", a_node.sandbox.path, "eth0"), conf)
    assert list((tmp_path / "flannel").iterdir()) == []


@pytest.mark.kernel
async def test_a_node_without_lease_is_told(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    conf = NetConf(
        {
            "cniVersion": "1.1.0",
            "name": "cbr0",
            "type": "flannel",
            "subnetFile": str(tmp_path / "none"),
        }
    )
    flannel = native_plugins(kernel, ipams(), NoPlugin(), dirs=ANYWHERE)["flannel"]
    for step in (flannel.add, flannel.status):
        with pytest.raises(NotFound, match="cannot read flannel's lease"):
            await step(Call("c0ffee", a_node.sandbox.path, "eth0"), conf)


def pods_conf(path: Path, name: str, **more: Any) -> NetConf:
    """Return a netconf of flannel with all its files below a directory."""
    (path / "subnet.env").write_text(LEASE)
    files = {"subnetFile": str(path / "subnet.env"), "dataDir": str(path / "flannel")}
    ipam = {"dataDir": str(path / "networks")}
    return NetConf(
        {"cniVersion": "0.3.1", "name": name, "type": "flannel", **files, "ipam": ipam, **more}
    )


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["mine", "cbr0"])
async def test_a_second_attachment_of_a_pod_takes_no_address_of_the_first_along(
    name: str, kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """With one file for both, the address of the cluster network stayed held after DEL."""
    flannel = native_plugins(kernel, ipams(), NoPlugin(), dirs=ANYWHERE)["flannel"]
    eth0, net1 = (Call("c0ffee", a_node.sandbox.path, one) for one in ("eth0", "net1"))
    cluster = pods_conf(tmp_path, "cbr0")
    own = pods_conf(tmp_path, name, delegate={"bridge": "br7"})
    await flannel.add(eth0, cluster)
    await flannel.add(net1, own)
    await detach(kernel, flannel, net1, own)
    assert [one.name for one in (tmp_path / "networks" / "cbr0").glob("10.*")] == ["10.244.1.2"]
    await detach(kernel, flannel, net1, own)
    await detach(kernel, flannel, eth0, cluster)
    assert list((tmp_path / "networks").glob("*/10.*")) == []
    assert list((tmp_path / "flannel").iterdir()) == []


@pytest.mark.kernel
async def test_a_failed_second_attachment_leaves_what_the_first_one_kept(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    flannel = native_plugins(kernel, ipams(), NoPlugin(), dirs=ANYWHERE)["flannel"]
    eth0, net1 = (Call("c0ffee", a_node.sandbox.path, one) for one in ("eth0", "net1"))
    cluster = pods_conf(tmp_path, "cbr0")
    own = pods_conf(tmp_path, "cbr0", delegate={"bridge": "eth1"})
    await flannel.add(eth0, cluster)
    with pytest.raises(PlanesError, match="not a bridge"):
        await flannel.add(net1, own)
    await detach(kernel, flannel, net1, own)
    await detach(kernel, flannel, eth0, cluster)
    assert list((tmp_path / "networks").glob("*/10.*")) == []


@pytest.mark.kernel
async def test_a_device_that_the_delegate_moved_is_given_back(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """DEL removes the interfaces of the delegate's type; a device of the host is none of them."""
    flannel = native_plugins(
        kernel, ipams(), NoPlugin(), dirs=ANYWHERE, records=tmp_path / "devices"
    )["flannel"]
    call = Call("c0ffee", a_node.sandbox.path, "net1")
    conf = pods_conf(tmp_path, "cbr0", delegate={"type": "host-device", "device": "eth1"})
    await flannel.add(call, conf)
    assert "eth1" not in a_node.host.ip("link")
    await detach(kernel, flannel, call, conf)
    assert "eth1" in a_node.host.ip("link")
