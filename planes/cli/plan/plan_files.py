"""Reading a plan, and the manifests that belong to it, from files."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any, Final

from planes.cli.command import Context, UsageError
from planes.cli.inputs import Inputs, read_inputs
from planes.cli.reading.namespaces import named_namespace
from planes.model.errors import BadInput, PlanesError
from planes.model.objects import Nad, Namespace
from planes.model.plan.answers import PlanAnswer, read_answer
from planes.model.plan.manifest_review import PlanManifests, is_policy
from planes.model.plan.network_plan import Beside, NetworkPlan, read_plan
from planes.model.plan.plan_text import MAX_PLAN_BYTES, Repeated, check_size, read_plan_json
from planes.run.files import read_regular
from planes.store.manifests import DEFAULT_NAMESPACE
from planes.store.yaml_values import YamlError, read_yaml

STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class GivenPlan:
    """A plan as the command line gives it, and the manifests beside it."""

    plan: NetworkPlan
    manifests: PlanManifests


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, `-f`, `--set`, `--master` and `--skip`."""
    parser.add_argument("file", metavar="FILE", help="the plan (JSON or YAML); - is standard input")
    parser.add_argument(
        *("-f", "--filename"),
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="manifests that belong to the plan: NADs lend it facts; may be given several times",
    )
    parser.add_argument(
        "--set",
        dest="answers",
        action="append",
        default=[],
        metavar="NETWORK.FIELD=VALUE",
        help="a fact that the plan does not have, or has wrong",
    )
    parser.add_argument(
        "--master",
        dest="masters",
        action="append",
        default=[],
        metavar="NETWORK=INTERFACE",
        help="the same as --set NETWORK.interface=INTERFACE",
    )
    parser.add_argument(
        "--skip",
        dest="skipped",
        action="append",
        default=[],
        metavar="NETWORK",
        help="a network to leave out",
    )


def given_plan(context: Context) -> GivenPlan:
    """Read the plan and the manifests of a command line, whose options have `NAMESPACE`.

    Raises:
        UsageError: a fact is none, or of no network of the plan.
        BadInput: a file cannot be read.
    """
    given = context.given
    value, repeated = _read(given.file)
    manifests = _manifests(given.files, named_namespace(context) or DEFAULT_NAMESPACE)
    try:
        answers = _answers(given.answers, given.masters)
        beside = Beside(answers, frozenset(given.skipped), manifests.nads)
        plan = read_plan(value, beside, repeated)
    except BadInput as error:
        raise UsageError(error.message, remedy=error.remedy) from error
    return GivenPlan(plan, manifests)


def _answers(texts: list[str], masters: list[str]) -> tuple[PlanAnswer, ...]:
    found = [read_answer(text) for text in texts]
    for text in masters:
        network, sign, interface = text.partition("=")
        if not sign:
            raise BadInput(
                f"cannot read {text[:64]!r} as a network and its interface",
                remedy="write --master NETWORK=INTERFACE, e.g. business=eth1",
            )
        found.append(PlanAnswer(network, ("interface",), interface))
    return tuple(found)


def _read(name: str) -> tuple[Any, Repeated]:
    title = "standard input" if name == STDIN else name
    if name == STDIN:
        data = sys.stdin.buffer.read(MAX_PLAN_BYTES + 1)
    else:
        try:
            data = read_regular(name, MAX_PLAN_BYTES, follows=True)
        except OSError as error:
            raise BadInput(
                f"cannot read {title}: {error.strerror or 'it is no file'}",
                remedy=f"give a file of at most {MAX_PLAN_BYTES >> 20} MiB, or - for standard "
                "input",
            ) from error
    check_size(data, title)
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    if name.endswith((".yaml", ".yml")) or not is_json:
        return _yaml(data, title), []
    return read_plan_json(data, title)


def _yaml(data: bytes, title: str) -> Any:
    try:
        documents = [each.value for each in read_yaml(data) if each.value is not None]
    except YamlError as error:
        raise BadInput(f"cannot read {title}: line {error.line}: {error.reason}") from error
    if len(documents) != 1:
        raise BadInput(
            f"cannot read {title} as a plan: it has {len(documents)} documents",
            remedy="give one document with networks",
        )
    return documents[0]


def _manifests(files: list[str], default: str) -> PlanManifests:
    if not files:
        return PlanManifests(default=default)
    inputs = read_inputs(files, default, needs_pods=False)
    try:
        return _sorted(inputs, default)
    except PlanesError as error:
        raise BadInput(
            f"cannot use the manifests of {', '.join(files)}: {error.message}", remedy=error.remedy
        ) from error


def _sorted(inputs: Inputs, default: str) -> PlanManifests:
    namespaces = [
        Namespace.from_object(obj)
        for obj, _ in inputs.others
        if obj.get("apiVersion") == "v1" and obj.get("kind") == "Namespace"
    ]
    return PlanManifests(
        workloads=tuple(inputs.workloads),
        pods=tuple(inputs.pods),
        nads=tuple(Nad.from_object(obj, default) for obj in inputs.nads),
        namespaces={namespace.name: namespace for namespace in namespaces},
        policies=tuple(obj for obj, _ in inputs.others if is_policy(obj)),
        default=default,
    )
