"""Explain manifests: what the webhook would decide if they were applied.

Pods that are explained with the same words, as replicas mostly are, are printed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from planes.cli.console import Console
from planes.cli.explaining.items import ExplainedItem, decision_json, of_problem
from planes.cli.inputs import Inputs
from planes.model.decide.decision import Decision, decide
from planes.model.decide.explain import explain, verdict_of
from planes.model.decide.nad_review import review_nad
from planes.model.decide.placement_check import misplaced_annotations
from planes.model.decide.stale_status import drop_stale_status
from planes.model.decide.workload_check import hints_for_each_node, shared_faults
from planes.model.errors import Finding
from planes.model.objects import Nad, Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.store.protocol import Problem
from planes.store.snapshot import Snapshot

_POD = "\0"
"""Stands for a pod's name in a text; no text has it, as none of its parts may."""


def explain_files(
    console: Console,
    inputs: Inputs,
    state: Snapshot,
    problems: Iterable[Problem],
    *,
    default: str,
    lacking: Callable[[str], Finding],
) -> list[ExplainedItem]:
    """Print what would be decided about the objects of files, and return it.

    Args:
        console: where it is printed.
        inputs: the objects.
        state: what they meet.
        problems: objects that are ignored.
        default: namespace of objects that name none.
        lacking: returns the warning about a namespace that the state lacks.
    """
    about = [
        *map(of_problem, problems),
        *of_workloads(inputs, state, default),
        *_of_nads(inputs, state, default),
    ]
    for entry in about:
        entry.print_findings(console)
    pods = list(_of_pods(inputs, state, lacking))
    for text in dict.fromkeys(pod.lacking for pod in pods if pod.lacking):
        console.warn(text)
    _print_folded(console, pods)
    entries = [*(pod.item for pod in pods), *about]
    if not entries:
        console.line("No pod to explain, and nothing is at fault.")
    return entries


def of_workloads(inputs: Inputs, state: Snapshot, default: str) -> Iterator[ExplainedItem]:
    """Yield the findings about workloads as a whole; those of their pods come with the pods.

    Args:
        inputs: the manifests; single pods count too, for annotations in the wrong place.
        state: planes and namespaces.
        default: namespace of objects that name none.
    """
    for obj in inputs.workloads:
        meta = obj.get("metadata") or {}
        name = str(meta.get("namespace") or default)
        namespace = state.namespaces.get(name) or Namespace(name)
        errors = shared_faults(obj, namespace, state.catalog)
        warnings = (*misplaced_annotations(obj), *hints_for_each_node(obj, state.catalog))
        if errors or warnings:
            own = str(meta.get("name") or meta.get("generateName") or "")
            yield ExplainedItem(str(obj.get("kind")), name, own, errors, warnings)


@dataclass(frozen=True, slots=True)
class _ExplainedPod:
    """A pod, and what is printed of it; `lacking` is the warning that its namespace is missing."""

    pod: Pod
    verdict: str
    rest: str
    item: ExplainedItem
    lacking: str = ""


def _of_nads(inputs: Inputs, state: Snapshot, default: str) -> Iterator[ExplainedItem]:
    """Yield the findings of a review of each NAD in the files."""
    for obj in inputs.nads:
        nad = Nad.from_object(obj, default)
        found = review_nad(nad, state.catalog, namespace=state.namespaces.get(nad.namespace))
        if found.errors or found.warnings:
            yield ExplainedItem("NAD", nad.namespace, nad.name, found.errors, found.warnings)


def _of_pods(
    inputs: Inputs, state: Snapshot, lacking: Callable[[str], Finding]
) -> Iterator[_ExplainedPod]:
    """Explain each pod; its claims count for the next one, as replicas compete for addresses."""
    catalog = state.catalog
    for obj in inputs.pods:
        pod = Pod.from_object(obj)
        known = state.namespaces.get(pod.namespace)
        namespace = known or Namespace(pod.namespace)
        decision, pod = _decided(pod, namespace, catalog)
        warnings, told = list(decision.warnings), ""
        if known is None:
            found = lacking(pod.namespace)
            warnings.append(found)
            told = found.message
        verdict = verdict_of(pod, decision)
        text = explain(pod, namespace, catalog, decision, verdict=verdict)
        rest = text.removeprefix(verdict).strip("\n")
        item = ExplainedItem(
            "Pod", pod.namespace, pod.name, decision.errors, warnings, decision_json(decision)
        )
        yield _ExplainedPod(pod, verdict, rest, item, told)
        if not decision.denied:
            annotations = {**pod.annotations, **decision.annotations}
            created = replace(pod, annotations=annotations)
            catalog = catalog.with_claims(catalog.claims.with_pod(created))


def no_manifest(namespace: str) -> Finding:
    """Return the warning about a namespace of which the directory has no manifest."""
    message = f"namespace {namespace} has no manifest: it joins by no label"
    return Finding("", message, "give its manifest, with its labels")


def not_there(namespace: str) -> Finding:
    """Return the warning about a namespace that a cluster does not have."""
    message = f"there is no namespace {namespace} yet: its pods join by no label"
    return Finding("", message, "create it, with its labels, or give its manifest too")


def not_readable(namespace: str) -> Finding:
    """Return the warning about a namespace that the user may not read."""
    message = f"the labels of namespace {namespace} are not known: it is judged as without any"
    return Finding("", message, "give its manifest too, with its labels")


def _decided(pod: Pod, namespace: Namespace, catalog: Catalog) -> tuple[Decision, Pod]:
    """Decide as both hooks do together: without annotations that a restored pod brings."""
    cleaned = drop_stale_status(pod)
    decision = decide(cleaned.pod, namespace, catalog, creating=True)
    return replace(decision, warnings=(*cleaned.warnings, *decision.warnings)), cleaned.pod


def _print_folded(console: Console, pods: Iterable[_ExplainedPod]) -> None:
    for number, alike in enumerate(_folded(pods)):
        if number:
            console.line("")
        first = alike[0]
        verdict = first.verdict
        if len(alike) > 1:
            who = f"Each of {first.pod.key} … {alike[-1].pod.name} ({len(alike)} pods) "
            verdict = verdict.replace(f"Pod {first.pod.display} ", who, 1)
        console.line(f"{verdict}\n\n{first.rest}" if first.rest else verdict)


def _folded(pods: Iterable[_ExplainedPod]) -> Iterator[list[_ExplainedPod]]:
    """Yield runs of pods of one namespace that differ in nothing but their name."""
    run: list[_ExplainedPod] = []
    for pod in pods:
        if run and _alike(run[0]) != _alike(pod):
            yield run
            run = []
        run.append(pod)
    if run:
        yield run


def _alike(pod: _ExplainedPod) -> tuple[str, str]:
    texts = (pod.verdict, pod.rest)
    verdict, rest = (text.replace(pod.pod.key, _POD) for text in texts)
    return f"{pod.pod.namespace} {pod.pod.owner_name} {verdict}", rest
