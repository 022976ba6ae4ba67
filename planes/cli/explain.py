"""`netplane explain`: what the webhook would decide about pods, in words, without any server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from planes.cli.command import MANIFESTS, Command, Context
from planes.cli.inputs import Inputs, add_file_arguments, read_inputs
from planes.cli.state import read_state
from planes.model.decide.decision import Decision, decide
from planes.model.decide.explain import explain
from planes.model.decide.nad_review import review_nad
from planes.model.decide.workload_check import shared_faults
from planes.model.errors import Finding
from planes.model.objects import Nad, Namespace, Pod
from planes.store.snapshot import Snapshot


def run_explain(context: Context) -> int:
    """Explain the decision on every pod and NAD of the manifests; 1 where one is refused."""
    inputs = read_inputs(context.given.files, context.given.namespace, may_be_nads_alone=True)
    # Planes and namespaces in the file count too: "what if I applied this?"
    state, problems = read_state(context.manifests_dir(), extra=inputs.others)
    for problem in problems:
        context.screen.warn(f"{problem.where}: {problem.reason}")
    catalog = state.catalog
    _warn_of_workloads(context, inputs, state)
    shown = []
    is_refused = _warn_of_nads(context, inputs, state)
    for number, obj in enumerate(inputs.pods):
        pod = Pod.from_object(obj)
        known = state.namespaces.get(pod.namespace)
        namespace = known or Namespace(pod.namespace)
        decision = decide(pod, namespace, catalog, creating=True)
        is_refused = is_refused or decision.denied
        if number:
            context.screen.say("")
        if known is None:
            context.screen.warn(f"namespace {pod.namespace} has no manifest: it joins by no label")
        context.screen.say(explain(pod, namespace, catalog, decision).rstrip("\n"))
        shown.append(_as_json(pod, decision))
        if not decision.denied:  # the next one meets it: replicas compete for addresses
            annotations = {**pod.annotations, **decision.annotations}
            created = replace(pod, annotations=annotations)
            catalog = catalog.with_claims(catalog.claims.with_pod(created))
    context.screen.give(shown)
    return 1 if is_refused else 0


def _warn_of_workloads(context: Context, inputs: Inputs, state: Snapshot) -> None:
    """Say what is wrong with workloads as a whole; their pods' own faults come with the pods."""
    for obj in inputs.workloads:
        meta = obj.get("metadata") or {}
        name = str(meta.get("namespace") or context.given.namespace)
        namespace = state.namespaces.get(name) or Namespace(name)
        for finding in shared_faults(obj, namespace, state.catalog):
            context.screen.warn(f"{obj['kind']} {name}/{meta.get('name')}: {finding}")


def _warn_of_nads(context: Context, inputs: Inputs, state: Snapshot) -> bool:
    """Say what a webhook would say of the NADs in the files; whether it would refuse one."""
    is_refused = False
    for obj in inputs.nads:
        nad = Nad.from_object(obj, context.given.namespace)
        namespace = state.namespaces.get(nad.namespace)
        found = review_nad(nad, state.catalog, namespace=namespace)
        for finding in (*found.errors, *found.warnings):
            context.screen.warn(f"NAD {nad.ref}: {finding}")
        is_refused = is_refused or bool(found.errors)
    return is_refused


def _as_json(pod: Pod, decision: Decision) -> dict[str, Any]:
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "allowed": not decision.denied,
        "attachments": [
            {
                "interface": attachment.interface,
                "network": str(attachment.network),
                "plane": attachment.plane,
                "ips": list(attachment.ips),
                "candidates": [str(address) for address in attachment.candidates],
                "mac": attachment.mac,
                "injected": attachment.injected,
            }
            for attachment in decision.attachments
        ],
        "annotations": dict(decision.annotations),
        "errors": [_finding(finding) for finding in decision.errors],
        "warnings": [_finding(finding) for finding in decision.warnings],
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"path": finding.path, "message": finding.message, "remedy": finding.remedy}


EXPLAIN: Final = Command(
    words=("explain",),
    help="say which planes pods get and why, without creating them",
    run=run_explain,
    options=(MANIFESTS,),
    add_arguments=add_file_arguments,
)
