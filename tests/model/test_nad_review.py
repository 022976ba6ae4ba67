"""What is found in a NAD's configuration: where, what to do, and for whom it is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from planes.model.bounds import (
    MAX_NAD_ADDRESSES,
    MAX_NAD_CONFIG_BYTES,
    MAX_NAD_FINDINGS,
    MAX_NAD_PLUGINS,
    MAX_NAD_RANGES,
    MAX_NAD_ROUTES,
)
from planes.model.decide.decision import decide
from planes.model.decide.nad_review import NadReview, review_nad
from planes.model.errors import Finding
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane_spec import Plane
from planes.model.spec.render import plane_nad
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

GUARDED, OPEN = NadPolicy(is_guarded=True), NadPolicy()
BRIDGE: Mapping[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "backup",
    "type": "bridge",
    "bridge": "br-backup",
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "192.168.200.0/24"}]]},
}


def nad(config: Mapping[str, Any] | str, namespace: str = "shop", **annotations: str) -> Nad:
    text = config if isinstance(config, str) else orjson.dumps(config).decode()
    return Nad(namespace, "backup", text, annotations)


def chained(*plugins: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"cniVersion": "1.0.0", "name": "backup", "plugins": [*plugins]}


def review(
    config: Mapping[str, Any] | str,
    policy: NadPolicy = GUARDED,
    namespace: str = "shop",
    planes: tuple[Plane, ...] = (),
) -> NadReview:
    return review_nad(nad(config, namespace), make_catalog(*planes, nad_policy=policy))


def paths(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.path for finding in findings]


def test_a_plain_bridge_of_its_own_is_a_tenant_s_to_write() -> None:
    assert review(BRIDGE) == NadReview()


@pytest.mark.parametrize(
    ("more", "path", "near"),
    [
        ({"mastr": "eth1"}, "spec.config.mastr", "did you mean master?"),
        ({"ipam": {"type": "host-locl"}}, "spec.config.ipam.type", "did you mean host-local?"),
        (
            {"ipam": {"type": "host-local", "rangestart": "10.0.0.1", "subnett": "10.0.0.0/8"}},
            "spec.config.ipam.subnett",
            "did you mean subnet?",
        ),
        (
            {"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.0.0.0/8", "gatway": ""}]]}},
            "spec.config.ipam.ranges[0][0].gatway",
            "did you mean gateway?",
        ),
        ({"capabilities": {"ip": True}}, "spec.config.capabilities.ip", "did you mean ips?"),
    ],
)
def test_what_is_misspelt_is_named_with_what_was_meant(
    more: Mapping[str, Any], path: str, near: str
) -> None:
    config = {**BRIDGE, "type": "macvlan", "master": "br-x", **more}
    config.pop("bridge", None)
    for policy in (GUARDED, OPEN):
        found = review(config, policy)
        told = found.errors if policy.is_guarded else found.warnings
        (finding,) = [each for each in told if each.path == path]
        assert finding.remedy == near


def test_a_misspelt_type_is_named_in_its_place_in_the_list() -> None:
    found = review(chained(BRIDGE, {"type": "tunning"}), OPEN, "kube-system")
    assert paths(found.warnings) == ["spec.config.plugins[1].type"]
    assert found.warnings[0].remedy == "did you mean tuning?"


def test_keys_are_matched_as_go_does() -> None:
    assert paths(review({**BRIDGE, "IPAM": None}).errors) == ["spec.config.IPAM"]
    assert not review({**BRIDGE, "HairpinMode": True, "VLAN": 5}).errors


def test_the_administrator_s_own_are_not_restricted() -> None:
    config = {**BRIDGE, "bridge": "cni0", "isGateway": True, "ipMasq": True}
    assert review(config, namespace="kube-system") == NadReview()
    assert review(config, namespace="ops").errors
    ops = NadPolicy(is_guarded=True, administrators=frozenset({"ops"}))
    assert review(config, ops, "ops") == NadReview()


def test_open_warns_of_what_guarded_refuses() -> None:
    config = {**BRIDGE, "isGateway": True, "ipam": {"type": "static", "dataDir": "/etc"}}
    refused, warned = review(config, GUARDED), review(config, OPEN)
    assert refused.errors == warned.warnings
    assert not warned.errors
    assert {each.status for each in refused.errors} == {403, 422}


@pytest.mark.parametrize("policy", [GUARDED, OPEN])
@pytest.mark.parametrize("namespace", ["shop", "kube-system"])
@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '{"name": "x"}',
        '{"name": "x", "plugins": []}',
        '{"name": "x", "plugins": {}}',
        '{"name": "../x", "type": "bridge"}',
        '{"name": "x", "type": "../bridge"}',
        '{"cniVersion": "9.0.0", "name": "x", "type": "bridge"}',
        '{"name": "x", "type": "bridge", "bridge": "br%d"}',
        '{"name": "x", "type": "bridge", "bridge": "br-of-sixteen-xx"}',
        '{"name": "x", "type": "bridge", "bridge": ["br-x"]}',
        '{"name": "x", "type": "macvlan", "master": "eth%d"}',
        '{"a":' * 4000,
    ],
)
def test_what_no_node_could_run_is_refused_for_any_author(
    config: str, namespace: str, policy: NadPolicy
) -> None:
    found = review(config, policy, namespace)
    assert found.errors
    assert all(each.message.startswith("cannot ") for each in found.errors)


def test_an_ipam_s_type_must_be_a_name() -> None:
    found = review({**BRIDGE, "ipam": {"type": 5}}, OPEN)
    assert paths(found.errors) == ["spec.config.ipam.type"]


def test_a_config_beyond_its_size_is_not_parsed() -> None:
    """By bytes: a letter may be four of them."""
    room = MAX_NAD_CONFIG_BYTES - len(orjson.dumps({**BRIDGE, "_": ""}))
    fits = review({**BRIDGE, "_": "x" * room}, OPEN)
    assert not fits.errors
    for text in ("x" * (room + 1), "é" * (room // 2 + 1)):
        assert "32 KiB" in review({**BRIDGE, "_": text}, OPEN).errors[0].message
    assert "32 KiB" in review("{" * (MAX_NAD_CONFIG_BYTES + 1), OPEN).errors[0].message


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (chained(*[BRIDGE] * (MAX_NAD_PLUGINS + 1)), "spec.config.plugins"),
        (
            {"ipam": {"type": "host-local", "ranges": [[{}] * (MAX_NAD_RANGES + 1)]}},
            "spec.config.ipam.ranges",
        ),
        (
            {"ipam": {"type": "host-local", "ranges": [[{}]] * (MAX_NAD_RANGES + 1)}},
            "spec.config.ipam.ranges",
        ),
        (
            {"ipam": {"type": "static", "routes": [{}] * (MAX_NAD_ROUTES + 1)}},
            "spec.config.ipam.routes",
        ),
        (
            {"ipam": {"type": "static", "addresses": [{}] * (MAX_NAD_ADDRESSES + 1)}},
            "spec.config.ipam.addresses",
        ),
    ],
)
def test_more_than_a_node_should_do_for_one_interface_is_refused(
    config: Mapping[str, Any], path: str
) -> None:
    config = config if "plugins" in config else {**BRIDGE, **config}
    for policy, namespace in ((GUARDED, "shop"), (OPEN, "kube-system")):
        assert path in paths(review(config, policy, namespace).errors)


def test_findings_are_bounded() -> None:
    config = {**BRIDGE, **{f"key-{number}": 1 for number in range(1000)}}
    found = review(config)
    assert len(found.errors) == MAX_NAD_FINDINGS


@pytest.mark.parametrize("name", ["vf", "example.com/", "exa mple.com/vf", "example.com/a/b", ""])
def test_a_resource_that_no_container_could_ask_for_is_refused(name: str) -> None:
    one = nad(BRIDGE, **{RESOURCE_NAME_ANNOTATION: name})
    (finding,) = review_nad(one, make_catalog()).errors
    assert RESOURCE_NAME_ANNOTATION in finding.path
    right = nad(BRIDGE, **{RESOURCE_NAME_ANNOTATION: "example.com/vf_1"})
    assert not review_nad(right, make_catalog()).errors


def test_what_an_update_leaves_as_it_was_is_not_judged_anew() -> None:
    old = nad("{", note="old")
    catalog = make_catalog(nad_policy=GUARDED)
    assert review_nad(nad("{", note="new"), catalog, old) == NadReview()
    assert review_nad(nad("[", note="new"), catalog, old).errors


def test_a_rendered_nad_breaks_no_rule() -> None:
    """Whatever a plane can say, what we make of it is known to the table."""
    networks = [
        {"type": "macvlan", "master": "eth1"},
        {"type": "ipvlan", "master": "eth1"},
        {"type": "bridge", "master": "br-x", "vlan": 5},
        {"type": "vlan", "master": "eth1", "vlan": 5},
        {"type": "sriov", "vlan": 5, "resourceName": "example.com/vf"},
        {"type": "host-device", "master": "eth5"},
    ]
    for network in networks:
        plane = make_plane(network=network, sysctls={"net.ipv4.conf.IFNAME.arp_filter": "1"})
        rendered = plane_nad(plane)
        assert rendered is not None
        assert review_nad(rendered, make_catalog(plane, nad_policy=GUARDED)) == NadReview(), network


@pytest.mark.parametrize("policy", [GUARDED, OPEN])
def test_addresses_of_a_plane_are_for_its_own_nad_alone(policy: NadPolicy) -> None:
    config = {**BRIDGE, "ipam": {"type": "plane", "plane": "business"}}
    found = review(config, policy, planes=(make_plane(),))
    (finding,) = found.errors
    assert "is not the plane's own NAD" in finding.message
    network = {"nadRef": {"namespace": "shop", "name": "backup"}}
    own = make_plane(network=network, ipam={"mode": "NAD"})
    assert not review(config, policy, planes=(own,)).errors
    other = {**BRIDGE, "ipam": {"type": "plane", "plane": "storage"}}
    assert review(other, policy, planes=(own, make_plane("storage"))).errors


def test_an_administrator_may_write_the_nad_before_its_plane() -> None:
    config = {**BRIDGE, "ipam": {"type": "plane", "plane": "business"}}
    found = review(config, GUARDED, "netplane-system")
    assert not found.errors
    (warning,) = found.warnings
    assert "is not the plane's own NAD" in warning.message


def test_a_nad_that_stands_already_is_kept_from_pods_when_it_is_guarded() -> None:
    one = nad({**BRIDGE, "bridge": "cni0"})
    pod = Pod.from_object(pod_object(networks="backup"))
    refused = decide(pod, make_namespace(), make_catalog(nads=[one], nad_policy=GUARDED))
    (finding,) = refused.errors
    assert finding.status == 403
    assert "cannot use NAD shop/backup: spec.config.bridge: cannot" in finding.message
    assert not decide(pod, make_namespace(), make_catalog(nads=[one])).denied


def test_a_judgement_is_remembered_until_the_nad_is_written_again() -> None:
    bad, good = nad({**BRIDGE, "bridge": "cni0"}), nad(BRIDGE)
    first = make_catalog(nads=[bad], nad_policy=GUARDED)
    found = first.nad_checks.findings(bad)
    assert found
    again = make_catalog(nads=[bad], previous=first)
    assert again.nad_checks.findings(again.nads[bad.ref]) is found
    assert make_catalog(nads=[good], previous=again).nad_checks.findings(good) == ()


def test_no_value_of_a_configuration_stands_in_a_text() -> None:
    secret = "hunter2-in-a-config"
    config = {
        **BRIDGE,
        "bridge": secret[:15],
        "isGateway": secret,
        "runtimeConfig": {"password": secret},
        "ipam": {"type": "dhcp", "daemonSocketPath": secret, "provide": [{"value": secret}]},
    }
    found = review(config)
    assert found.errors
    assert "hunter2" not in " ".join(map(str, (*found.errors, *found.warnings)))
