"""The settings of a Multus file beside its cluster network, read as Multus reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.confdir.files import cluster_network
from cni.confdir.multus_settings import MOST_NETWORKS, MultusSettings, multus_confs, multus_settings
from tests.cni.confdir.multus_files import thin

JsonObject = dict[str, Any]
PATH = Path("/etc/cni/net.d/00-multus.conf")
ONE: JsonObject = {"cniVersion": "1.0.0", "name": "one", "type": "bridge"}
TWO: JsonObject = {"name": "two", "type": "macvlan"}


def read(obj: JsonObject, daemon: JsonObject | None = None) -> MultusSettings:
    (conf,) = multus_confs(obj, daemon or {})
    return multus_settings(conf, PATH, has_daemon=bool(daemon))


def test_a_file_that_sets_nothing_has_the_defaults_of_multus() -> None:
    found = read(thin(ONE))
    assert not found.isolates
    assert found.global_namespaces == {"default"}
    assert found.system_namespaces == {"kube-system"}
    assert found.namespace == "kube-system"
    assert (found.delegates, found.networks, found.fault) == ((), (), "")


def test_delegates_after_the_first_are_networks_with_the_files_version() -> None:
    (two,) = read(thin(ONE, TWO)).delegates
    assert (two.name, two.cni_version, two.plugins[0].type) == ("two", "1.0.0", "macvlan")


def test_the_cluster_network_wins_over_delegates_and_brings_default_networks() -> None:
    """Multus reads `delegates` only without `clusterNetwork` (LoadNetConf)."""
    conf = thin(ONE, TWO, clusterNetwork="cluster", defaultNetworks=["a", "b"])
    found = read(conf)
    assert (found.delegates, found.networks) == ((), ("a", "b"))
    assert cluster_network(conf, PATH).name == "cluster"
    assert read(thin(ONE, defaultNetworks=["a"])).networks == ()


def test_keys_count_in_any_case_as_in_go() -> None:
    found = read(thin(ONE, NamespaceIsolation=True, READINESSINDICATORFILE="/run/ready"))
    assert found.isolates
    assert found.readiness_file == "/run/ready"


def test_a_list_of_global_namespaces_replaces_default() -> None:
    found = read(thin(ONE, globalNamespaces=" shared , ops"))
    assert found.global_namespaces == {"shared", "ops"}


def test_what_the_daemons_own_file_sets_counts_before_the_shims() -> None:
    shim = {"type": "multus-shim", "name": "m", "namespaceIsolation": False, "binDir": "/a"}
    daemon = {"NamespaceIsolation": True, "name": "other", "type": "x", "multusNamespace": "ops"}
    found = read(shim, daemon)
    assert (found.isolates, found.bin_dir, found.namespace) == (True, "/a", "ops")
    assert not found.lacks_daemon
    assert read(shim).lacks_daemon


@pytest.mark.parametrize(
    "more",
    [
        {"namespaceIsolation": "true"},
        {"defaultNetworks": ["n"] * (MOST_NETWORKS + 1), "clusterNetwork": "c"},
        {"systemNamespaces": "kube-system"},
        {"confDir": "multus/net.d"},
        {"globalNamespaces": "," * 5000},
        {"delegates": [ONE, {"name": "us", "type": "netplane"}]},
        {"delegates": [ONE, {"name": "again", "plugins": [{"type": "multus-shim"}]}]},
        {"delegates": [ONE, {"name": "no-type"}]},
    ],
)
def test_what_cannot_be_followed_is_a_fault_and_not_left_out(more: JsonObject) -> None:
    found = read({**thin(ONE), **more})
    assert found.fault.startswith("cannot ")
    assert len(found.fault) < 300


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
keys = st.sampled_from(
    ["delegates", "clusterNetwork", "defaultNetworks", "namespaceIsolation", "confDir", "binDir"]
)


@given(st.dictionaries(keys, values))
def test_any_file_gives_settings_and_never_an_exception(more: JsonObject) -> None:
    found = read({**thin(ONE), **more})
    assert found.fault or found.isolates == bool(more.get("namespaceIsolation"))
