"""A whole plan: its networks, and everything that contradicts itself or is missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.decode import kind_of
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.names import shown
from planes.model.objects import Nad
from planes.model.plan.against_nads import compare_with_nads
from planes.model.plan.answers import PlanAnswer, with_answers
from planes.model.plan.cluster_network import PlanClusterNetwork, cluster_network
from planes.model.plan.network import PlannedNetwork, namespace_objects, read_network
from planes.model.plan.network_checks import check_networks
from planes.model.plan.plan_text import Repeated, joined, text_faults

MAX_NETWORKS: Final = 1024
_NETWORKS: Final = "networks"
_MOST_MEMBERS: Final = 256


@dataclass(slots=True)
class NetworkPlan:
    """A plan as far as it can be read.

    Attributes:
        networks: those that are to be planes.
        cluster: the cluster's own network, None where the plan has none.
        faults: contradictions, and what cannot be read.
        missing: facts that are asked for.
        warnings: what an administrator should know.
        notes: facts that came from elsewhere, and from where.
    """

    networks: list[PlannedNetwork] = field(default_factory=list)
    cluster: PlanClusterNetwork | None = None
    faults: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether planes can be made of it."""
        return not self.faults and not self.missing

    def sound_networks(self) -> list[PlannedNetwork]:
        """Return the networks that nothing is wrong with, also not beside others."""
        paths = [finding.path for finding in self.faults]
        return [
            network
            for network in self.networks
            if network.is_sound and not any(_is_at(path, network.path) for path in paths)
        ]

    def objects(self) -> list[JsonObject]:
        """Return the manifests: planes in the plan's order, then namespaces."""
        return [*(network.obj for network in self.networks), *namespace_objects(self.networks)]


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside a plan.

    Attributes:
        answers: facts that replace those of the plan.
        skipped: networks that are left out.
        nads: NADs that are there already, which lend facts that the plan does not have.
    """

    answers: tuple[PlanAnswer, ...] = ()
    skipped: frozenset[str] = frozenset()
    nads: tuple[Nad, ...] = ()

    def decides(self, network: str, word: str) -> bool:
        """Report whether an answer says a word of a network."""
        return any(each.network == network and each.keys[0] == word for each in self.answers)


def read_plan(value: Any, beside: Beside, repeated: Repeated | None = None) -> NetworkPlan:
    """Read a plan.

    Args:
        value: its JSON.
        beside: what is known beside it.
        repeated: objects with keys that are there twice.

    Raises:
        BadInput: an answer, or a name that is left out, is of no network of the plan.
    """
    plan = NetworkPlan()
    plan.faults += text_faults(value, repeated or [])
    if plan.faults:
        return plan
    found = _networks(value, plan)
    if plan.faults:
        return plan
    found = with_answers(_without(found, beside.skipped), beside.answers)
    found = _told_apart(found, plan)
    found = compare_with_nads(found, beside.nads, beside.decides, plan)
    # What was set and lent is as foreign as the plan itself.
    if foreign := text_faults({_NETWORKS: found}, []):
        plan.faults += foreign
        return plan
    plan.networks = [read_network(name, words) for name, words in found.items()]
    for network in plan.networks:
        plan.faults += network.faults
        plan.missing += network.missing
        plan.warnings += network.warnings
    check_networks(plan.networks, plan.cluster, plan.faults, plan.warnings)
    return plan


def _networks(value: Any, plan: NetworkPlan) -> JsonObject:
    if not isinstance(value, dict):
        plan.faults.append(_no_object("", value))
        return {}
    networks = value.get(_NETWORKS)
    if not isinstance(networks, dict):
        plan.faults.append(_no_object(_NETWORKS, networks))
        return {}
    others = [key for key in value if key != _NETWORKS]
    for key in others[:4]:
        message = "it is no word of a plan: nothing becomes of it"
        plan.warnings.append(Finding(joined("", key), message, "put what matters into networks"))
    if len(networks) > MAX_NETWORKS:
        message = f"cannot read a plan of {len(networks)} networks"
        plan.faults.append(Finding(_NETWORKS, message, f"split it: at most {MAX_NETWORKS}"))
        return {}
    for name, words in networks.items():
        path = joined(_NETWORKS, name)
        if not isinstance(words, dict):
            plan.faults.append(_no_object(path, words))
        elif len(words) > _MOST_MEMBERS:
            message = f"cannot read a network of {len(words)} words"
            plan.faults.append(Finding(path, message, f"at most {_MOST_MEMBERS} are possible"))
    return networks


def _no_object(path: str, value: Any) -> Finding:
    if value is None:
        return Finding(path, "cannot find it", 'write {"networks": {"NAME": {…}}}')
    message = f"cannot read it: it must be an object, not {kind_of(value)}"
    return Finding(path, message, 'write {"networks": {"NAME": {…}}}')


def _without(networks: Mapping[str, Any], skipped: Collection[str]) -> JsonObject:
    for name in sorted(skipped):
        if name not in networks:
            known = ", ".join(shown(each) for each in list(networks)[:8])
            raise BadInput(
                f"cannot leave out {shown(name)}: the plan has no such network",
                remedy=f"it has {known}",
            )
    return {name: words for name, words in networks.items() if name not in skipped}


def _told_apart(networks: JsonObject, plan: NetworkPlan) -> JsonObject:
    """Return the networks that are to be planes; the cluster's own is set apart."""
    planes: dict[str, JsonObject] = {}
    for name, words in networks.items():
        cluster = cluster_network(name, words, plan.faults)
        if cluster is None:
            planes[name] = words
        elif plan.cluster is not None:
            message = f"cannot have two networks of the cluster: {plan.cluster.path} is one"
            plan.faults.append(Finding(cluster.path, message, "keep one of them"))
        else:
            plan.cluster = cluster
            message = f"it is the cluster's own network ({cluster.cni}): no plane is made of it"
            plan.notes.append(Finding(cluster.path, message))
    return planes


def _is_at(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))
