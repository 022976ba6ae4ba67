"""`netplane explain`: print what is decided about pods, namespaces and addresses, and why.

Of files it is what the webhook would decide; of pods and namespaces that are there also what they
have. Each fault makes the exit status 1, and is an entry of what `--output json` prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import Final

from planes.cli.command import MANIFESTS, Command, Context, Task, UsageError
from planes.cli.explaining.files import (
    explain_files,
    no_manifest,
    not_readable,
    not_there,
)
from planes.cli.explaining.items import PROBLEM, ExplainedItem
from planes.cli.inputs import Inputs, read_inputs
from planes.cli.reading.namespaces import NAMESPACE, named_namespace
from planes.cli.reading.place import CONTEXT, KUBECONFIG, PLACE_OPTIONS, Place, at_place
from planes.cli.state import read_state
from planes.model.errors import BadInput, Finding
from planes.model.names import is_dns_label, is_dns_subdomain, shown
from planes.store.manifests import DEFAULT_NAMESPACE

_REMEDY: Final = "give -f FILE, pod/NAME, namespace/NAME, or address ADDRESS --plane NAME"
_POD_WORDS: Final = ("pod", "pods", "po")
_NAMESPACE_WORDS: Final = ("namespace", "namespaces", "ns")


def run_explain(context: Context) -> int:
    """Explain what is named; return 1 if anything is at fault."""
    files, words = context.given.files, context.given.subject
    if bool(files) == bool(words):
        what = "two things at once" if files else "nothing"
        raise UsageError(f"cannot explain {what}", remedy=_REMEDY)
    if files:
        return _explain_files(context)
    if words[0] == "address" and len(words) == 2:
        return _explain_one(context, _address_work(context, words[1]))
    if len(words) == 1:
        kind, _, name = words[0].partition("/")
        if kind in _POD_WORDS and is_dns_subdomain(name):
            return _explain_one(context, _pod_work(context, name))
        if kind in _NAMESPACE_WORDS and is_dns_label(name):
            return _explain_one(context, _namespace_work(context, name))
    raise UsageError(f"cannot explain {shown(' '.join(words))}", remedy=_REMEDY)


_Work = Callable[[Place], Awaitable[ExplainedItem]]


def _explain_one(context: Context, work: _Work) -> int:
    found = at_place(context, work)
    context.console.document(found.as_json())
    return 1 if found.errors else 0


def _pod_work(context: Context, name: str) -> _Work:
    async def work(place: Place) -> ExplainedItem:
        from planes.cli.explaining.live_pod import explain_pod  # noqa: PLC0415

        namespace = named_namespace(context) or place.namespace
        return await explain_pod(place, context.console, namespace, name)

    return work


def _namespace_work(context: Context, name: str) -> _Work:
    async def work(place: Place) -> ExplainedItem:
        from planes.cli.explaining.live_namespace import explain_namespace  # noqa: PLC0415

        return await explain_namespace(place, context.console, name)

    return work


def _address_work(context: Context, address: str) -> _Work:
    given = context.given
    if not given.plane:
        raise UsageError("cannot explain an address of no plane", remedy="give --plane NAME")

    async def work(place: Place) -> ExplainedItem:
        from planes.cli.explaining.one_address import AddressAsker, explain_address  # noqa: PLC0415

        namespace = named_namespace(context)  # none: an address may be asked about for any
        asker = AddressAsker(namespace or (place.namespace if given.pod else ""), given.pod)
        return await explain_address(place, context.console, given.plane, address, asker)

    return work


def _explain_files(context: Context) -> int:
    """Explain the decision on every pod and NAD of the files."""
    settings, console = context.settings, context.console
    names_cluster = settings[KUBECONFIG.key] or settings[CONTEXT.key]
    if settings[MANIFESTS.key] and not names_cluster:
        # Planes and namespaces in the file count too: "what if I applied this?"
        default = named_namespace(context) or DEFAULT_NAMESPACE
        inputs = _read(context, default)
        state, problems = read_state(context.manifests_dir(), extra=inputs.others)
        entries = explain_files(
            console, inputs, state, problems, default=default, lacking=no_manifest
        )
    else:
        entries = at_place(context, lambda place: _on_cluster(context, place))
    console.document([entry.as_json() for entry in entries])
    return 1 if any(entry.errors for entry in entries) else 0


async def _on_cluster(context: Context, place: Place) -> list[ExplainedItem]:
    from planes.cli.explaining.concerned import namespaces_of, networks_of  # noqa: PLC0415
    from planes.cli.reading.decision_state import decision_state  # noqa: PLC0415

    console, default = context.console, named_namespace(context) or place.namespace
    inputs = _read(context, default)
    spaces = namespaces_of(inputs, default)
    found = await decision_state(
        place, spaces, nads_of=networks_of(inputs, default), extra=inputs.others
    )
    for text in found.unknown:
        console.warn(text)
    for ignored in found.ignored:
        console.warn(f"{ignored.where}: {ignored.reason}")
    return explain_files(
        console,
        inputs,
        found.snapshot,
        found.problems,
        default=default,
        lacking=not_there if found.has_namespaces else not_readable,
    )


def _read(context: Context, default: str) -> Inputs:
    """Read the files; a failure is printed as JSON, too, before it is raised."""
    files = context.given.files
    try:
        return read_inputs(files, default, needs_pods=False)
    except BadInput as error:
        fault = Finding("", error.message, error.remedy)
        context.console.document([ExplainedItem(PROBLEM, "", ", ".join(files), (fault,)).as_json()])
        raise


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        nargs="*",
        metavar="SUBJECT",
        help="pod/NAME, namespace/NAME, or address ADDRESS with --plane",
    )
    parser.add_argument(
        *("-f", "--filename"),
        dest="files",
        action="append",
        metavar="FILE",
        help="manifests of pods, workloads, planes, NADs (YAML or JSON); - is standard input",
    )
    parser.add_argument("--plane", default="", metavar="NAME", help="the plane of an address")
    parser.add_argument(
        "--pod", default="", metavar="NAME", help="the pod that an address is asked about for"
    )


EXPLAIN: Final = Command(
    words=("explain",),
    help="say which planes pods, namespaces and addresses get and why, changing nothing",
    run=run_explain,
    options=(*PLACE_OPTIONS, NAMESPACE),
    add_arguments=_arguments,
    task=Task.PLANES,
    example="netplane explain pod/web-0 -n shop\n"
    "netplane explain -f web.yaml --manifests /etc/netplane/manifests",
)
