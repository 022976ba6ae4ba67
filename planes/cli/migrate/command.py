"""`netplane migrate check`: what of a Multus installation works as it is, before it is replaced.

NADs and pods are judged by the code that the webhook has. Exit status 1: something of them will be
refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planes.cli.command import MANIFESTS, Command, Context, Task
from planes.cli.reading.namespaces import NAMESPACE_OPTIONS, chosen_namespace
from planes.cli.reading.place import PLACE_OPTIONS, Place, at_place
from planes.model.lines import printable
from planes.run.nad_settings import NAD_OPTIONS, nad_policy

if TYPE_CHECKING:
    from planes.cli.migrate.multus_report import MultusReport
    from planes.cli.migrate.proposal import Proposal
    from planes.cli.migrate.read_multus_cluster import Migration
    from planes.model.spec.nad_policy import NadPolicy


def run_migrate_check(context: Context) -> int:
    """Print what becomes of NADs, pods and settings; return 1 if any is refused."""
    from planes.cli.migrate.multus_on_cluster import read_multus_on_cluster  # noqa: PLC0415
    from planes.cli.migrate.multus_report import read_multus  # noqa: PLC0415
    from planes.cli.migrate.proposal import propose  # noqa: PLC0415
    from planes.cli.migrate.read_multus_cluster import MigrationReader  # noqa: PLC0415

    namespace = chosen_namespace(context)
    files = [Path(name) for name in context.given.multus]
    given = read_multus(files)
    policy = nad_policy(context.settings, is_standalone=bool(context.settings[MANIFESTS.key]))

    async def work(place: Place) -> tuple[MultusReport, Migration]:
        multus, notes = given, list[str]()
        if place.is_cluster and not files:
            multus, notes = await read_multus_on_cluster(place.api)
        migration = await MigrationReader(place.api, policy, multus, namespace).read()
        migration.notes += notes
        return multus, migration

    with context.console.progress("reading NADs and pods"):
        multus, found = at_place(context, work)
    proposals = propose(found.nads, found.planes)
    _print(context, found, multus, proposals, policy)
    context.console.document(
        {
            "nads": [nad.as_json() for nad in found.nads],
            "refusedPods": [each.as_json() for each in found.refused],
            "multus": [setting.as_json() for setting in multus.settings],
            "proposals": [proposal.as_json() for proposal in proposals],
            "notes": found.notes,
            "guarded": policy.is_guarded,
        }
    )
    return 1 if found.refused or any(nad.errors for nad in found.nads) else 0


def _print(
    context: Context,
    found: Migration,
    multus: MultusReport,
    proposals: list[Proposal],
    policy: NadPolicy,
) -> None:
    console = context.console
    if context.given.propose:
        for proposal in proposals:
            console.manifests(f"---\n{proposal.text()}".rstrip("\n"))
    elif found.nads:
        rows = [
            (n.nad.namespace, n.nad.name, " ".join(n.types), n.carried_out, str(n.use.pods))
            for n in found.nads
        ]
        console.table(("NAMESPACE", "NAD", "TYPES", "CARRIED OUT", "PODS"), rows)
    else:
        console.line("there is no NAD")
    if multus.settings and not context.given.propose:
        console.line("")
        settings = [(s.file, s.key, str(s.followed), s.text) for s in multus.settings]
        console.table(("FILE", "SETTING", "VERDICT", "WHY"), settings)
    _print_findings(context, found)
    if found.nads and context.settings["nads"] is None:
        mode = "guarded" if policy.is_guarded else "open"
        console.note(f"judged with --nads {mode}; give the mode that the installation will have")
    if proposals and not context.given.propose:
        count = len(proposals)
        what = "network is" if count == 1 else "networks are"
        console.note(f"{count} {what} shared: --propose prints a plane for each")


def _print_findings(context: Context, found: Migration) -> None:
    console = context.console
    for note in found.notes:
        console.warn(printable(note))
    for nad in found.nads:
        for error in nad.errors:
            console.note(printable(f"refused: NAD {nad.nad.ref}: {error}"), "red")
        for warning in nad.warnings:
            console.warn(printable(f"NAD {nad.nad.ref}: {warning}"))
    for each in found.refused:
        more = f" and {each.pods - 1} more" if each.pods > 1 else ""
        for error in each.errors:
            text = f"refused: Pod {each.namespace}/{each.name}{more}: {error}"
            console.note(printable(text), "red")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--multus-config",
        dest="multus",
        action="append",
        default=[],
        metavar="FILE",
        help="00-multus.conf or daemon-config.json of a node (repeatable); default: on a cluster "
        "what the ConfigMaps of Multus in kube-system say",
    )
    parser.add_argument(
        "--propose",
        action="store_true",
        help="print a Plane for each shared network, with comments on what to decide",
    )


MIGRATE_CHECK: Final = Command(
    ("migrate", "check"),
    "say what of Multus is native, executed or refused",
    run_migrate_check,
    (*PLACE_OPTIONS, *NAMESPACE_OPTIONS, *NAD_OPTIONS),
    _arguments,
    task=Task.PLANES,
    example="netplane migrate check --propose > planes.yaml",
)
