"""Facts as values: networks, links and what a healthy node has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cni.net.host_survey import HostSurvey, SurveyedLink
from cni.net.links import Link
from planes.cli.doctor.diagnosis import Diagnosis
from planes.cli.doctor.facts.networks import KnownNetwork, LinkNeed, link_needs, networks_of
from planes.model.addresses import parse_interface
from planes.model.encode import dumps
from planes.model.errors import JsonObject
from planes.model.wire.netconf import parse_conflist
from tests.support.planes import plane_object

UP = 0x1 | 0x10000


def link(
    name: str,
    index: int,
    *addresses: str,
    mtu: int = 1500,
    kind: str = "",
    master: int = 0,
    parent: int = 0,
    flags: int = UP,
    **more: Any,
) -> SurveyedLink:
    """Return a link that is up with a carrier, where the test says nothing else."""
    found = Link(index, name, "02:00:00:00:00:01", mtu, flags, kind, master, 0, 6, parent, False)
    return SurveyedLink(found, (name,), tuple(map(parse_interface, addresses)), **more)


def survey(*links: SurveyedLink, defaults: Iterable[int] = (2,)) -> HostSurvey:
    """Return a node with these links; index 2 is that of the default route."""
    return HostSurvey(links, frozenset(defaults))


ETH0 = link("eth0", 2, "192.0.2.5/24")
ETH1 = link("eth1", 3)


def plane(name: str = "business", **spec: Any) -> KnownNetwork:
    """Return the network of a plane: a macvlan on eth1, unless the test says something else."""
    (network,) = networks_of([plane_object(name, **spec)], []).networks
    return network


def nad_object(name: str, **conf: Any) -> JsonObject:
    """Return a NAD of namespace shop."""
    config = dumps({"cniVersion": "1.0.0", "name": name, **conf}, "config").decode()
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"config": config}}


def nad(name: str, **conf: Any) -> KnownNetwork:
    """Return the network of a NAD of no plane."""
    (network,) = networks_of([], [nad_object(name, **conf)]).networks
    return network


def default_network(**conf: Any) -> KnownNetwork:
    """Return a default network."""
    conflist = parse_conflist({"cniVersion": "1.0.0", "name": "cbr0", **conf})
    return KnownNetwork("default network cbr0", "edit its file", conflist, is_default=True)


def needs(*networks: KnownNetwork) -> tuple[LinkNeed, ...]:
    """Return the links that networks need."""
    return tuple(link_needs(networks))


def severities(found: Iterable[Diagnosis]) -> list[str]:
    """Return how bad each of them is."""
    return [one.severity.value for one in found]


def only(found: Iterable[Diagnosis]) -> Diagnosis:
    """Return the one diagnosis, whose texts are all there."""
    (one,) = found
    assert one.what
    assert one.why
    assert one.mend
    return one
