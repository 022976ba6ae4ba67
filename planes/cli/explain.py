"""`netplane explain`: print what the webhook would decide about pods, without any server.

Faults are found in pods, in workloads as a whole, in NADs, and in planes and other objects that
cannot be used. Each fault makes the exit status 1, and is an entry of the list that `--output
json` prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planes.cli.command import MANIFESTS, Command, Context
from planes.cli.console import Console
from planes.cli.inputs import Inputs, add_file_arguments, read_inputs
from planes.cli.state import read_state
from planes.model.decide.decision import Decision, decide
from planes.model.decide.explain import explain
from planes.model.decide.nad_review import review_nad
from planes.model.decide.placement_check import misplaced_annotations
from planes.model.decide.stale_status import drop_stale_status
from planes.model.decide.workload_check import hints_for_each_node, shared_faults
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.objects import Nad, Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.store.protocol import Problem
from planes.store.snapshot import Snapshot

_PROBLEM: Final = "Problem"
"""The kind of an entry for an object that cannot be used; its name is the file and line."""


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """The findings about one pod, workload, NAD or file.

    Attributes:
        details: JSON members that only a pod has: its attachments, annotations and audits.
    """

    kind: str
    namespace: str
    name: str
    errors: Sequence[Finding] = ()
    warnings: Sequence[Finding] = ()
    details: JsonObject = field(default_factory=dict)

    def as_json(self) -> JsonObject:
        """Return it as one element of the list that is printed."""
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "allowed": not self.errors,
            **self.details,
            "errors": _listed(self.errors),
            "warnings": _listed(self.warnings),
        }

    def print_findings(self, console: Console, *, is_decided: bool = True) -> None:
        """Print every finding on stderr.

        Args:
            console: where they are printed.
            is_decided: errors decide the exit status; False prints all as warnings.
        """
        title = self.name if self.kind == _PROBLEM else f"{self.kind} {self.namespace}/{self.name}"
        for finding in self.errors:
            if is_decided:
                console.note(f"error: {title}: {finding}", "red")
            else:
                console.warn(f"{title}: {finding}")
        for finding in self.warnings:
            console.warn(f"{title}: {finding}")


def run_explain(context: Context) -> int:
    """Explain the decision on every pod and NAD of the files; return 1 if anything is at fault."""
    default = context.given.namespace
    inputs = _read(context)
    # Planes and namespaces in the file count too: "what if I applied this?"
    state, problems = read_state(context.manifests_dir(), extra=inputs.others)
    about = [
        *map(_of_problem, problems),
        *of_workloads(inputs, state, default),
        *_of_nads(inputs, state, default),
    ]
    for entry in about:
        entry.print_findings(context.console)
    entries = [*_of_pods(context.console, inputs, state), *about]
    if not entries:
        context.console.line("No pod to explain, and nothing is at fault.")
    context.console.document([entry.as_json() for entry in entries])
    return 1 if any(entry.errors for entry in entries) else 0


def _read(context: Context) -> Inputs:
    """Read the files; a failure is printed as JSON, too, before it is raised."""
    files = context.given.files
    try:
        return read_inputs(files, context.given.namespace, needs_pods=False)
    except BadInput as error:
        fault = Finding("", error.message, error.remedy)
        context.console.document(
            [ExplainedItem(_PROBLEM, "", ", ".join(files), (fault,)).as_json()]
        )
        raise


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


def _of_problem(problem: Problem) -> ExplainedItem:
    finding = Finding("", problem.reason, "mend it: until then it is ignored")
    return ExplainedItem(_PROBLEM, "", problem.where, (finding,))


def _of_nads(inputs: Inputs, state: Snapshot, default: str) -> Iterator[ExplainedItem]:
    """Yield the findings of a review of each NAD in the files."""
    for obj in inputs.nads:
        nad = Nad.from_object(obj, default)
        found = review_nad(nad, state.catalog, namespace=state.namespaces.get(nad.namespace))
        if found.errors or found.warnings:
            yield ExplainedItem("NAD", nad.namespace, nad.name, found.errors, found.warnings)


def _of_pods(console: Console, inputs: Inputs, state: Snapshot) -> Iterator[ExplainedItem]:
    """Explain each pod; its claims count for the next one, as replicas compete for addresses."""
    catalog = state.catalog
    for number, obj in enumerate(inputs.pods):
        pod = Pod.from_object(obj)
        known = state.namespaces.get(pod.namespace)
        namespace = known or Namespace(pod.namespace)
        decision, pod = _decided(pod, namespace, catalog)
        if number:
            console.line("")
        warnings = list(decision.warnings)
        if known is None:
            message = f"namespace {pod.namespace} has no manifest: it joins by no label"
            console.warn(message)
            warnings.append(Finding("", message, "give its manifest, with its labels"))
        console.line(explain(pod, namespace, catalog, decision).rstrip("\n"))
        yield ExplainedItem(
            "Pod", pod.namespace, pod.name, decision.errors, warnings, _details(decision)
        )
        if not decision.denied:
            annotations = {**pod.annotations, **decision.annotations}
            created = replace(pod, annotations=annotations)
            catalog = catalog.with_claims(catalog.claims.with_pod(created))


def _decided(pod: Pod, namespace: Namespace, catalog: Catalog) -> tuple[Decision, Pod]:
    """Decide as both hooks do together: without annotations that a restored pod brings."""
    cleaned = drop_stale_status(pod)
    decision = decide(cleaned.pod, namespace, catalog, creating=True)
    return replace(decision, warnings=(*cleaned.warnings, *decision.warnings)), cleaned.pod


def _details(decision: Decision) -> JsonObject:
    return {
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
        "audits": _listed(decision.audits),
    }


def _listed(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{"path": one.path, "message": one.message, "remedy": one.remedy} for one in findings]


EXPLAIN: Final = Command(
    words=("explain",),
    help="say which planes pods get and why, without creating them",
    run=run_explain,
    options=(MANIFESTS,),
    add_arguments=add_file_arguments,
)
