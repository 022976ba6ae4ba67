"""The manifests that belong to a plan: what is wrong with workloads, NADs and policies beside it.

Workloads and NADs are judged as admission judges them. Policies select by labels that namespaces
may not have, and reach eth0 only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planes.model.decide.decision import decide
from planes.model.decide.nad_review import review_nad
from planes.model.decide.placement_check import misplaced_annotations
from planes.model.decide.stale_status import drop_stale_status
from planes.model.decide.workload_check import hints_for_each_node, shared_faults
from planes.model.errors import Finding, JsonObject
from planes.model.names import NETWORKS_ANNOTATION, shown
from planes.model.objects import NAMESPACE_NAME_LABEL, Nad, Namespace, Pod
from planes.model.spec.selector import Requirement, Selector, parse_selector
from planes.model.state.catalog import Catalog

MAX_PODS: Final = 256
"""Pods that are decided on; of more replicas the first ones show what is wrong."""
_POLICY_API: Final = "networking.k8s.io/v1"

Told = tuple[bool, Finding]
"""Whether it is a contradiction (or a warning), and the finding."""


@dataclass(frozen=True, slots=True)
class PlanManifests:
    """The objects beside a plan.

    Attributes:
        workloads: Deployments and others, and single pods.
        pods: of the workloads, as their controllers would create them.
        namespaces: by name.
        policies: NetworkPolicy objects.
        default: namespace of objects that name none.
    """

    workloads: tuple[JsonObject, ...] = ()
    pods: tuple[JsonObject, ...] = ()
    nads: tuple[Nad, ...] = ()
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    policies: tuple[JsonObject, ...] = ()
    default: str = "default"

    def namespace(self, name: str) -> Namespace:
        """Return a namespace; one without manifest has no labels."""
        return self.namespaces.get(name) or Namespace(name)


def review_manifests(manifests: PlanManifests, catalog: Catalog) -> Iterator[Told]:
    """Yield what is wrong, each once; replicas repeat each other."""
    seen: set[tuple[bool, str, str]] = set()
    reviews = (_workloads, _nads, _pods)
    for is_fault, finding in (each for review in reviews for each in review(manifests, catalog)):
        key = is_fault, finding.path, finding.message
        if key not in seen:
            seen.add(key)
            yield is_fault, finding
    yield from _policies(manifests)


def is_policy(obj: Mapping[str, Any]) -> bool:
    """Report whether an object is a NetworkPolicy."""
    return obj.get("apiVersion") == _POLICY_API and obj.get("kind") == "NetworkPolicy"


def _workloads(manifests: PlanManifests, catalog: Catalog) -> Iterator[Told]:
    for obj in manifests.workloads:
        title, namespace = _title(obj, manifests.default), _namespace(obj, manifests.default)
        faults = shared_faults(obj, manifests.namespace(namespace), catalog)
        yield from _titled(title, faults, is_fault=True)
        hints = (*misplaced_annotations(obj), *hints_for_each_node(obj, catalog))
        yield from _titled(title, hints, is_fault=False)


def _nads(manifests: PlanManifests, catalog: Catalog) -> Iterator[Told]:
    for nad in manifests.nads:
        known = manifests.namespaces.get(nad.namespace)
        found = review_nad(nad, catalog, namespace=known)
        yield from _titled(f"NAD {nad.ref}", found.errors, is_fault=True)
        yield from _titled(f"NAD {nad.ref}", found.warnings, is_fault=False)


def _pods(manifests: PlanManifests, catalog: Catalog) -> Iterator[Told]:
    """Decide on pods one after the other: the claims of each count for the next one."""
    reviewed = tuple(f"NAD {nad.ref} " for nad in manifests.nads)
    for obj in manifests.pods[:MAX_PODS]:
        pod = drop_stale_status(Pod.from_object(obj)).pod
        namespace = manifests.namespace(pod.namespace)
        decision = decide(pod, namespace, catalog, creating=True)
        title = f"pods of {pod.namespace}/{(*pod.owners[::-1], pod.name)[0]}"
        yield from _titled(title, decision.errors, is_fault=True)
        own = [each for each in decision.warnings if not each.path.startswith(reviewed)]
        yield from _titled(title, own, is_fault=False)
        if not decision.denied:
            created = replace(pod, annotations={**pod.annotations, **decision.annotations})
            catalog = catalog.with_claims(catalog.claims.with_pod(created))


def _policies(manifests: PlanManifests) -> Iterator[Told]:
    with_networks = {
        str(pod["metadata"].get("namespace"))
        for pod in manifests.pods
        if (pod["metadata"].get("annotations") or {}).get(NETWORKS_ANNOTATION)
    }
    for obj in manifests.policies:
        title = _title(obj, manifests.default)
        for path, selector in _namespace_selectors(obj):
            yield from _selected(title, path, selector, manifests)
        if _namespace(obj, manifests.default) in with_networks:
            message = "it filters eth0 only: interfaces of planes and NADs are not touched by it"
            remedy = "keep apart what must be apart by planes, VLANs or interfaces of their own"
            yield False, Finding(f"{title} spec", message, remedy)


def _namespace_selectors(obj: Mapping[str, Any]) -> Iterator[tuple[str, Selector]]:
    spec = obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for at, rule in enumerate(_listed(spec.get(direction))):
            for number, peer in enumerate(_listed(rule.get(side))):
                if peer.get("namespaceSelector") is not None:
                    path = f"spec.{direction}[{at}].{side}[{number}].namespaceSelector"
                    yield path, parse_selector(peer["namespaceSelector"], path, [])


def _selected(
    title: str, path: str, selector: Selector, manifests: PlanManifests
) -> Iterator[Told]:
    """Yield a finding where no namespace that is known has the labels of a selector."""
    known = manifests.namespaces
    if not known or selector.is_empty or any(selector.matches(n.labels) for n in known.values()):
        return
    meant = _meant(selector, known)
    message = f"cannot select any namespace of these files: none has {shown(str(selector))}"
    if meant is None:
        yield False, Finding(f"{title} {path}", message, "compare it with their labels")
        return
    requirement, name = meant
    message = f"cannot select namespace {name}: it does not have the label {shown(requirement.key)}"
    remedy = f"select by {NAMESPACE_NAME_LABEL}: {name}, which every namespace has"
    yield True, Finding(f"{title} {path}", message, remedy)


def _meant(selector: Selector, known: Mapping[str, Namespace]) -> tuple[Requirement, str] | None:
    """Return the first requirement whose value is a namespace's name, with that name."""
    for requirement in selector.requirements:
        for value in requirement.values:
            if value in known:
                return requirement, value
    return None


def _titled(title: str, findings: Iterable[Finding], *, is_fault: bool) -> Iterator[Told]:
    for each in findings:
        where = f"{title} {each.path}" if each.path else title
        yield is_fault, Finding(where, each.message, each.remedy)


def _title(obj: Mapping[str, Any], default: str) -> str:
    name = _meta(obj).get("name") or _meta(obj).get("generateName") or ""
    return f"{obj.get('kind')} {_namespace(obj, default)}/{str(name)[:253]}"


def _namespace(obj: Mapping[str, Any], default: str) -> str:
    return str(_meta(obj).get("namespace") or default)[:253]


def _meta(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = obj.get("metadata")
    return meta if isinstance(meta, dict) else {}


def _listed(value: Any) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
