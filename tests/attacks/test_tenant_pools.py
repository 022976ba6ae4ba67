"""A tenant gives its NAD the name of somebody else's network, and takes that network's addresses.

host-local finds its files by the network's name: 13 attachments of one pod left no address of
172.16.9.0/28 for the pods of `kube-system/prod`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.decide.nad_review import review_nad
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.catalog import Catalog
from tests.attacks.objects import joined_namespace, nad_object
from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.model import make_catalog, make_plane, pod_object
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node

GUARDED = NadPolicy(is_guarded=True)
SUBNET = {"type": "host-local", "subnet": "172.16.9.0/28"}
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def nad(place: str, *, bridge: str = "br-evil", created: str = LATE, **more: Any) -> Nad:
    """Return a NAD by its place, `namespace/name`; its network is called prod."""
    namespace, _, name = place.partition("/")
    body = {"cniVersion": "1.0.0", "name": "prod", "type": "bridge", "bridge": bridge}
    config = orjson.dumps({**body, "ipam": SUBNET, **more}).decode()
    return Nad(namespace, name, config, created=created)


OWN = nad("evil/own")
PROD = nad("kube-system/prod", bridge="prod0")


def catalog_with(*nads: Nad, policy: NadPolicy = GUARDED) -> Catalog:
    return make_catalog(make_plane(), nads=nads, nad_policy=policy)


def ask(catalog: Catalog, networks: str, namespace: str = "evil") -> Decision:
    pod = pod_object(namespace=namespace, networks=networks)
    return decide(Pod.from_object(pod), Namespace(namespace), catalog)


@pytest.mark.parametrize(
    "own",
    [
        OWN,
        nad("evil/own", created=EARLY),
        nad("evil/own", ipam={"type": "host-local", "ranges": [[{"subnet": "172.16.0.0/12"}]]}),
        nad("evil/own", ipam={"Type": "host-local", "SUBNET": "172.16.9.0/28"}),
    ],
)
def test_tenant_takes_no_addresses_of_an_administrator_s_network(own: Nad) -> None:
    catalog = catalog_with(PROD, own)
    assert "it would take" in str(review_nad(own, catalog_with(PROD)).errors)
    assert ask(catalog, "own").denied
    assert not ask(catalog, "kube-system/prod", "shop").denied


def test_tenant_takes_no_addresses_of_a_plane_s_nad() -> None:
    plane = make_plane(
        "prod",
        network={"nadRef": {"namespace": "infra", "name": "prod"}},
        subnets=None,
        ipam={"mode": "NAD"},
        staticIPs=None,
    )
    backing = nad("infra/prod", bridge="br-prod")
    catalog = make_catalog(
        plane, nads=[backing, nad("evil/own", created=EARLY)], nad_policy=GUARDED
    )
    assert "infra/prod" in ask(catalog, "own").message


def test_tenant_takes_no_addresses_of_an_older_network() -> None:
    older = nad("shop/net", bridge="br-shop", created=EARLY)
    catalog = catalog_with(older, OWN)
    assert "shop/net" in ask(catalog, "own").message
    assert not ask(catalog, "net", "shop").denied


def test_tenant_who_comes_after_gets_its_address_again_when_the_name_is_free() -> None:
    catalog = catalog_with(PROD, OWN)
    assert ask(catalog, "own").denied
    renamed = nad("kube-system/prod", bridge="prod0", name="prod2")
    assert not ask(catalog.with_nads({PROD.ref: renamed}), "own").denied
    assert not ask(catalog.with_nads({PROD.ref: None}), "own").denied


@pytest.mark.parametrize(
    "other",
    [
        nad("shop/net", bridge="br-evil", created=EARLY),  # a copy of the network
        nad("evil/other", bridge="br-other", created=EARLY),  # of the same namespace
        nad("shop/net", ipam={"type": "host-local", "subnet": "10.0.0.0/24"}, created=EARLY),
        nad("shop/net", bridge="br-shop", ipam={"type": "dhcp"}, created=EARLY),
        nad("shop/net", bridge="br-shop", name="else", created=EARLY),
    ],
)
def test_tenant_with_addresses_of_its_own_is_not_kept_from_them(other: Nad) -> None:
    assert not ask(catalog_with(other, OWN), "own").denied


def test_under_multus_s_rules_networks_share_by_name() -> None:
    assert not ask(catalog_with(PROD, OWN, policy=NadPolicy()), "own").denied


@pytest.mark.kernel
def test_tenant_takes_no_addresses_where_no_webhook_looked(daemon: Place, here: Node) -> None:
    set_up(daemon)
    kind = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}
    daemon.manifest(
        "evil",
        joined_namespace("evil"),
        *(kind | nad_object(one.name, one.namespace, config=one.config) for one in (PROD, OWN)),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            **pod_object("thief", namespace="evil", networks="own@a0,own@a1"),
        },
    )
    daemon.start("--nads", "guarded")
    with pytest.raises(CniError, match="whose addresses it would take"):
        daemon.call("ADD", here.sandbox.path, pod="evil/thief")
    assert leftovers(daemon, here) == NOTHING
    assert not Path("/var/lib/cni/networks/prod").exists()


def test_tenant_with_many_networks_of_one_name_hides_no_administrator_s() -> None:
    """Of other tenants' networks only so many are compared, of administrators' all."""
    many = [
        nad(f"n{one}/{two}", bridge=f"br-{one}-{two}", created=EARLY, ipam=_apart(one, two))
        for one in range(3)
        for two in range(200)
    ]
    catalog = catalog_with(*many, OWN)
    assert not ask(catalog, "own").denied
    assert "kube-system/prod" in ask(catalog.with_nads({PROD.ref: PROD}), "own").message


def _apart(one: int, two: int) -> dict[str, str]:
    return {"type": "host-local", "subnet": f"10.{one}.{two}.0/24"}


def test_the_index_of_names_follows_every_change() -> None:
    catalog = catalog_with(PROD, OWN)
    first = catalog.index.pools["prod"]
    assert [one.ref for one in first] == [OWN.ref, PROD.ref]  # created at one time: by name
    older = nad("kube-system/prod", bridge="prod0", created=EARLY)
    swapped = catalog.with_nads({PROD.ref: older}).index.pools["prod"]
    assert [one.ref for one in swapped] == [PROD.ref, OWN.ref]
    bare = nad("evil/own", ipam={"type": "dhcp"})
    assert [one.ref for one in catalog.with_nads({OWN.ref: bare}).index.pools["prod"]] == [PROD.ref]
    gone = catalog.with_nads({OWN.ref: None, PROD.ref: None})
    assert gone.index.pools.get("prod") is None
    same = nad("evil/own", bridge="br-else")
    assert catalog.with_nads({OWN.ref: same}).index.pools["prod"] is not first
