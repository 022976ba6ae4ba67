"""The settings about NADs, the same for both programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from cni import settings as daemon
from planes.model.errors import BadInput
from planes.model.spec.nad_policy import NadPolicy
from planes.run.nad_settings import NAD_OPTIONS, nad_policy
from planes.run.settings import resolve
from webhook import settings as webhook


def policy(env: Mapping[str, str] | None = None, *, is_standalone: bool = False) -> NadPolicy:
    return nad_policy(resolve(NAD_OPTIONS, {}, env or {}), is_standalone=is_standalone)


def test_both_programs_have_the_same_options() -> None:
    assert set(NAD_OPTIONS) <= set(daemon.OPTIONS)
    assert set(NAD_OPTIONS) <= set(webhook.OPTIONS)


def test_a_cluster_is_guarded_and_a_directory_of_manifests_is_open() -> None:
    assert policy() == NadPolicy(is_guarded=True)
    assert policy(is_standalone=True) == NadPolicy(is_guarded=False)


@pytest.mark.parametrize("is_standalone", [True, False])
@pytest.mark.parametrize("mode", ["guarded", "open"])
def test_what_is_said_holds_anywhere(mode: str, is_standalone: bool) -> None:
    assert policy({"NETPLANE_NADS": mode}, is_standalone=is_standalone).is_guarded == (
        mode == "guarded"
    )


def test_every_setting_is_read() -> None:
    found = policy(
        {
            "NETPLANE_NAD_NAMESPACES": "ops, kube-system",
            "NETPLANE_NAD_INTERFACES": '["br-*", "eth1.100", "shop:eth2"]',
            "NETPLANE_NAD_TYPES": "ovs,whereabouts",
            "NETPLANE_NAD_HOST_PORTS": "30000-30099,31080",
        }
    )
    assert found == NadPolicy(
        is_guarded=True,
        administrators=frozenset({"ops", "kube-system"}),
        interfaces=("br-*", "eth1.100", "shop:eth2"),
        types=frozenset({"ovs", "whereabouts"}),
        host_ports=((30000, 30099), (31080, 31080)),
    )
    assert found.permits_port(31080)
    assert not found.permits_port(30100)
    assert found.of("shop").interfaces == ("br-*", "eth1.100", "eth2")
    assert found.of("ops").interfaces == ("br-*", "eth1.100")
    assert found.of("ops").permits_interface("eth1.100")
    assert not found.of("ops").permits_interface("eth1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NADS", "closed"),
        ("NADS", "Guarded"),
        ("NAD_NAMESPACES", "Ops"),
        ("NAD_NAMESPACES", "[1]"),
        ("NAD_INTERFACES", "br/x"),
        ("NAD_TYPES", "../sh"),
        ("NAD_HOST_PORTS", "0"),
        ("NAD_HOST_PORTS", "9-8"),
        ("NAD_HOST_PORTS", "65536"),
        ("NAD_HOST_PORTS", "http"),
    ],
)
def test_what_makes_no_sense_is_told(name: str, text: str) -> None:
    with pytest.raises(BadInput, match=name):
        policy({f"NETPLANE_{name}": text})


MANIFESTS = Path(__file__).parents[2] / "manifests"


@pytest.mark.parametrize(
    ("place", "mode"), [("base/webhook", "guarded"), ("overlays/multus-takeover", "open")]
)
def test_what_is_shipped_guards_nads_but_for_the_takeover(place: str, mode: str) -> None:
    daemon_place = place.replace("webhook", "cni")
    files = (f"{place}/deployment.yaml", f"{daemon_place}/daemonset.yaml")
    for file in files:
        (shipped,) = yaml.safe_load_all((MANIFESTS / file).read_text())
        (container,) = shipped["spec"]["template"]["spec"]["containers"]
        given = {each["name"]: each.get("value", "") for each in container["env"]}
        assert given["NETPLANE_NADS"] == mode, file
        assert policy(given_of_nads(given)).is_guarded == (mode == "guarded")


def given_of_nads(env: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in env.items() if name.startswith("NETPLANE_NAD")}
