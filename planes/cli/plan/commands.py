"""The subcommands of `netplane plan`.

`check` says what contradicts itself and what is missing; `import` prints manifests and refuses a
plan with faults; `export` prints planes as a plan; `diff` says what a plan would change.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
import yaml

from planes.cli.command import Command, Context, Task
from planes.cli.console import Console
from planes.cli.plan.plan_files import GivenPlan, add_plan_arguments, given_plan
from planes.cli.reading.namespaces import NAMESPACE
from planes.cli.reading.place import PLACE_OPTIONS, at_place
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.lines import one_line, printable
from planes.model.objects import Namespace
from planes.model.plan.changes import PlannedObject, namespace_changes, plane_changes
from planes.model.plan.manifest_review import review_manifests
from planes.model.plan.network import planned_labels
from planes.model.plan.network_plan import Beside, NetworkPlan, read_plan
from planes.model.plan.writing import joined_namespaces, write_plan
from planes.model.state.catalog import Catalog

_MOST_TOLD: Final = 100
"""Findings of a kind that are printed one by one; JSON and YAML have them all."""
_COLOURS: Final = {"contradiction": "red", "missing": "red", "warning": "yellow"}
_LONGEST_VALUE: Final = 100


def run_check(context: Context) -> int:
    """Print what is wrong with a plan; return 1 if it is contradictory or incomplete."""
    given = given_plan(context)
    plan, console = given.plan, context.console
    is_importable = plan.is_sound
    _review(given)
    names = [network.name for network in plan.sound_networks()]
    _print_findings(console, plan, console.line)
    contradictions = _counted(len(plan.faults), "contradiction")
    if plan.is_sound:
        console.line(f"the plan is complete: {_counted(len(names), 'plane')}", "green")
    elif is_importable:
        console.line(
            f"the plan can be imported, but manifests beside it contradict it: {contradictions}",
            "bold",
        )
    else:
        told = f"{contradictions}, {len(plan.missing)} missing"
        console.line(f"the plan cannot be imported: {told}", "bold")
    console.document(
        {"ok": plan.is_sound, "importable": is_importable, "planes": names, **_as_json(plan)}
    )
    return 0 if plan.is_sound else 1


def run_import(context: Context) -> int:
    """Print the manifests of a plan; print none and return 1 if it has faults."""
    plan = given_plan(context).plan
    if not _is_usable(context, plan, "import"):
        return 1
    console, objects = context.console, plan.objects()
    if console.is_document:
        console.document({"apiVersion": "v1", "kind": "List", "items": objects})
        return 0
    for number, obj in enumerate(objects):
        if number:
            console.line("---")
        console.manifests(_yaml(obj))
    return 0


def run_export(context: Context) -> int:
    """Print the planes of a cluster, or of manifests, as a plan."""
    from planes.cli.plan.place_planes import read_place  # noqa: PLC0415

    found = at_place(context, read_place)
    _warn_left_out(context.console, found.left_out)
    for name in sorted(joined_namespaces(found.labels).keys() - found.planes.keys()):
        text = f"there is no plane {printable(name)}: labels of namespaces for it are left out"
        context.console.warn(text)
    plan = write_plan(found.planes.values(), found.labels)
    again = read_plan(plan, Beside())
    for fault in [*again.faults, *again.missing][:_MOST_TOLD]:
        context.console.warn(printable(f"the plan cannot be imported as it is: {fault}"))
    text = orjson.dumps(plan, option=orjson.OPT_INDENT_2).decode()
    if context.given.file:
        _write_new(context.given.file, text)
        context.console.line(f"wrote {context.given.file}: {_counted(len(found.planes), 'plane')}")
    else:
        context.console.manifests(text)
    context.console.document(plan)
    return 1 if found.left_out else 0


def run_diff(context: Context) -> int:
    """Print what a plan would change; return 1 if it would change anything, or has faults."""
    from planes.cli.plan.place_planes import read_place  # noqa: PLC0415

    plan, console = given_plan(context).plan, context.console
    if not _is_usable(context, plan, "compare"):
        return 1
    found = at_place(context, read_place)
    _warn_left_out(console, found.left_out)
    changes = [
        *plane_changes(plan.networks, found.planes),
        *namespace_changes(plan.networks, found.labels),
    ]
    planned = {network.name for network in plan.networks}
    others = sorted(found.planes.keys() - planned)
    for change in changes:
        _print_change(console, change)
    if not changes:
        console.line(f"the plan changes nothing of {found.title}", "green")
    for name in others:
        console.note(f"plane {printable(name)} is not in the plan: applying leaves it as it is")
    console.document(
        {"changes": [each.as_json() for each in changes], "notInPlan": others, **_as_json(plan)}
    )
    return 1 if changes else 0


def _warn_left_out(console: Console, left_out: Mapping[str, Finding]) -> None:
    for name, fault in sorted(left_out.items()):
        console.warn(printable(f"plane {name} is left out, as no plan may have this: {fault}"))


def _review(given: GivenPlan) -> None:
    """Add what is wrong with the manifests beside a plan, as if its sound planes were in force."""
    plan, manifests = given.plan, given.manifests
    sound = plan.sound_networks()
    namespaces = dict(manifests.namespaces)
    for name, labels in planned_labels(sound).items():
        known = namespaces.get(name) or Namespace(name)
        namespaces[name] = replace(known, labels={**known.labels, **labels})
    catalog = Catalog.build([network.plane for network in sound], manifests.nads)
    catalog = catalog.with_namespaces(namespaces.get)
    for is_fault, found in review_manifests(replace(manifests, namespaces=namespaces), catalog):
        (plan.faults if is_fault else plan.warnings).append(found)


def _is_usable(context: Context, plan: NetworkPlan, verb: str) -> bool:
    """Report whether a plan has no faults; print them, or its warnings, on stderr."""
    console = context.console
    _print_findings(console, plan, console.note)
    if plan.is_sound:
        return True
    text = f"cannot {verb} {context.given.file}: {_counted(len(plan.faults), 'contradiction')}"
    console.note(f"{text}, {len(plan.missing)} missing", "bold")
    console.document({"ok": False, **_as_json(plan)})
    return False


def _kinds(plan: NetworkPlan) -> Iterator[tuple[str, list[Finding]]]:
    yield "contradiction", plan.faults
    yield "missing", plan.missing
    yield "warning", plan.warnings
    yield "note", plan.notes


def _print_findings(console: Console, plan: NetworkPlan, write: Callable[[str, str], None]) -> None:
    for kind, findings in _kinds(plan):
        for finding in findings[:_MOST_TOLD]:
            path = f"{finding.path}: " if finding.path else ""
            write(printable(f"{kind}: {path}{finding.message}"), _COLOURS.get(kind, ""))
            if finding.remedy:
                write(printable(f"  {finding.remedy}"), "")
        if len(findings) > _MOST_TOLD:
            write(f"{kind}: and {len(findings) - _MOST_TOLD} more", "")


def _as_json(plan: NetworkPlan) -> JsonObject:
    names = {"contradiction": "contradictions", "missing": "missing"}
    return {names.get(kind, f"{kind}s"): _listed(findings) for kind, findings in _kinds(plan)}


def _listed(findings: Iterable[Finding]) -> list[JsonObject]:
    return [{"path": one.path, "message": one.message, "remedy": one.remedy} for one in findings]


def _print_change(console: Console, change: PlannedObject) -> None:
    console.line(printable(f"{change.kind} {change.name}{' (new)' if change.is_new else ''}"))
    colours = {"+": "green", "-": "red", "~": "yellow"}
    for each in change.fields:
        shown = [_shown(value) for value in (each.old, each.new) if value is not None]
        text = f"  {each.sign} {each.path}: {' -> '.join(shown)}"
        console.line(printable(text), colours[each.sign])


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return one_line(text, _LONGEST_VALUE)


def _yaml(obj: JsonObject) -> str:
    return yaml.safe_dump(obj, sort_keys=False, allow_unicode=True).rstrip("\n")


def _write_new(name: str, text: str) -> None:
    """Write a file that is not there yet: what somebody keeps is never replaced."""
    try:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise BadInput(
            f"cannot write {name}: {error.strerror or 'it cannot be made'}",
            remedy="name a file that is not there yet, or leave FILE out and redirect the output",
        ) from error


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        default="",
        metavar="FILE",
        help="a new file for the plan (default: standard output)",
    )


PLAN_CHECK: Final = Command(
    ("plan", "check"),
    "say what of a network plan contradicts itself, and what is missing",
    run_check,
    (NAMESPACE,),
    add_arguments=add_plan_arguments,
    task=Task.PLANES,
    example="netplane plan check network-plan.json",
)
PLAN_IMPORT: Final = Command(
    ("plan", "import"),
    "print a network plan as planes and labels of namespaces",
    run_import,
    (NAMESPACE,),
    add_arguments=add_plan_arguments,
    task=Task.PLANES,
    example="netplane plan import network-plan.json -f networks.yaml | kubectl apply -f -",
)
PLAN_EXPORT: Final = Command(
    ("plan", "export"),
    "print the planes of a cluster, or of manifests, as a network plan",
    run_export,
    PLACE_OPTIONS,
    _export_arguments,
    task=Task.PLANES,
    example="netplane plan export plan.json",
)
PLAN_DIFF: Final = Command(
    ("plan", "diff"),
    "say what applying a network plan would change",
    run_diff,
    (*PLACE_OPTIONS, NAMESPACE),
    add_plan_arguments,
    task=Task.PLANES,
    example="netplane plan diff network-plan.json",
)
