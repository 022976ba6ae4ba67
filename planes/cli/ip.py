"""`netplane ip check` and `release`: what of planes' addresses does not fit, and its release.

`check` compares and changes nothing, on a cluster or on one machine. `release --node` is what an
administrator asserts: that a node runs no pods any more. `release --claims` releases what was kept
for claims that are gone, `release --from-report` what a report of `check` names and is still so.
All ask the API server with the user's own credentials.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planes.cli.command import MANIFESTS, Command, Context, Task, UsageError
from planes.cli.reading.place import CLUSTER_OPTIONS, PLACE_OPTIONS, Place, at_cluster, at_place
from planes.model.lines import printable
from planes.model.names import is_dns_subdomain, shown

_COMPARED: Final = "blocks, holders, claims, pods and nodes"

if TYPE_CHECKING:
    from planes.kube.addresses.cluster_audit import AuditEntry


def run_check(context: Context) -> int:
    """Print what does not fit; return 1 if anything does not."""
    from planes.kube.addresses.cluster_audit import Misfit  # noqa: PLC0415

    report = context.given.report

    async def work(place: Place) -> list[AuditEntry]:
        return await _checked(place, Path(report) if report else None)

    found = at_place(context, work)
    console = context.console
    misfits = [entry for entry in found if entry.kind is not Misfit.UNREAD]
    for entry in found:
        if entry.kind is Misfit.UNREAD:
            console.warn(printable(entry.text))
    rows = [
        tuple(map(printable, (e.kind, e.plane, e.what, e.node, e.pod, e.text))) for e in misfits
    ]
    if rows:
        console.table(("KIND", "PLANE", "WHAT", "NODE", "POD", "WHY"), rows)
    else:
        is_machine = bool(context.settings[MANIFESTS.key])
        what = "records, pods and their status" if is_machine else _COMPARED
        console.line(f"{what} fit together", "green")
    console.document([{k: printable(v) for k, v in entry.as_json().items()} for entry in found])
    return 1 if misfits else 0


async def _checked(place: Place, report: Path | None) -> list[AuditEntry]:
    """Return what does not fit, and write it to a report if there is to be one."""
    if place.state_dir is not None:
        from planes.cli.addresses.machine_check import check_machine  # noqa: PLC0415

        if report is not None:
            raise UsageError(
                "cannot write a report of one machine: its daemon releases what does not fit",
                remedy="leave out --report, or name a cluster",
            )
        return await check_machine(place, place.state_dir)
    from planes.cli.addresses.cluster_check import check  # noqa: PLC0415
    from planes.cli.addresses.evidence import cluster_uid, with_evidence  # noqa: PLC0415
    from planes.cli.addresses.report import report_of, write_report  # noqa: PLC0415

    cluster = await cluster_uid(place.api) if report is not None else ""
    found = await check(place.api, place.clock)
    if report is not None:
        evident = await with_evidence(place.api, found)
        write_report(report, report_of(cluster, place.clock.now(), evident))
    return found


def run_release(context: Context) -> int:
    """Release what was named; return 1 if something of it stays."""
    given = context.given
    if given.any_age and not given.report:
        raise UsageError("cannot use --any-age: it is for --from-report", remedy="leave it out")
    if given.report:
        return _release_by_report(context)
    return _release_claims(context) if given.claims else _release_node(context)


def _release_by_report(context: Context) -> int:
    from planes.cli.addresses.report import read_report_file  # noqa: PLC0415
    from planes.cli.addresses.report_release import ReportRelease  # noqa: PLC0415

    given, console, stays = context.given, context.console, list[str]()
    report = read_report_file(Path(given.report))
    how = "" if given.dry_run else ", twice, a minute apart"
    with console.progress(f"looking at what was reported{how}"):
        result = at_cluster(
            context,
            lambda api, clock: ReportRelease(api, clock, stays.append).run(
                report, is_dry_run=given.dry_run, any_age=given.any_age
            ),
            waits=True,
        )
    verb = "would release" if given.dry_run else "released"
    for entry in result.done:
        console.line(f"{verb} {entry.kind} {entry.what} of plane {entry.plane}")
    if not result.done:
        console.line("nothing of the report is released")
    for text in result.skipped:
        console.note(printable(text))
    if report.left_out:
        console.warn(f"{report.left_out} findings had no room in the report: check again")
    for text in stays:
        console.warn(printable(text))
    document = {"dryRun": given.dry_run, **result.as_json(), "leftOut": report.left_out}
    console.document({**document, "stays": stays})
    return 1 if stays else 0


def _release_claims(context: Context) -> int:
    from planes.cli.claim_addresses import release_claims  # noqa: PLC0415

    is_dry_run, console, stays = context.given.dry_run, context.console, list[str]()
    with console.progress("looking twice, a minute apart, which claims are gone"):
        done = at_cluster(
            context,
            lambda api, clock: release_claims(api, clock, is_dry_run=is_dry_run, told=stays.append),
            waits=True,
        )
    verb = "would release" if is_dry_run else "released"
    for one in done:
        console.line(f"{verb} address {one.address} of plane {one.plane}, kept for {one.claim}")
    if not done:
        console.line("nothing is kept for a claim that is gone")
    for text in stays:
        console.warn(text)
    found = [{"block": one.block, "address": str(one.address), "claim": one.claim} for one in done]
    console.document({"dryRun": is_dry_run, "kept": found, "stays": stays})
    return 1 if stays else 0


def _release_node(context: Context) -> int:
    from planes.cli.cluster_addresses import release  # noqa: PLC0415

    node, is_dry_run = context.given.node, context.given.dry_run
    if not is_dns_subdomain(node):
        raise UsageError(
            f"cannot release addresses of {shown(node)}: it is no name of a node",
            remedy="give the name that `kubectl get nodes` shows, or showed",
        )
    console, stays = context.console, list[str]()
    with console.progress(f"looking whether node {node} runs"):
        done = at_cluster(
            context,
            lambda api, clock: release(api, clock, node, is_dry_run=is_dry_run, told=stays.append),
            waits=True,
        )
    verb = "would release" if is_dry_run else "released"
    for block in done.blocks:
        console.line(f"{verb} block {block.cidr} of plane {block.plane}")
    for name, address in done.static:
        console.line(f"{verb} static address {address} (IPBlock {name})")
    if not done.blocks and not done.static:
        console.line(f"node {node} has no addresses")
    for text in stays:
        console.warn(text)
    console.document({"node": node, "dryRun": is_dry_run, **done.as_json(), "stays": stays})
    return 1 if stays else 0


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        default="",
        metavar="FILE",
        help="also write a report, which `ip release --from-report` takes",
    )


def _release_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--node", default="", metavar="NAME", help="the node, which must run no pods any more"
    )
    what.add_argument(
        "--from-report",
        dest="report",
        default="",
        metavar="FILE",
        help="what a report of `ip check --report` names, if it is still so",
    )
    what.add_argument(
        "--claims", action="store_true", help="what was kept for IPAMClaims that are gone"
    )
    parser.add_argument(
        "--any-age", action="store_true", help="use a report that is older than a day, too"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be released, and release nothing"
    )


IP_CHECK: Final = Command(
    ("ip", "check"),
    "compare blocks, records, claims, pods and nodes; nothing is changed",
    run_check,
    PLACE_OPTIONS,
    _check_arguments,
    task=Task.ADDRESSES,
    example="netplane ip check --context prod",
)
IP_RELEASE: Final = Command(
    ("ip", "release"),
    "release what a node had, what claims kept, or what a report names",
    run_release,
    CLUSTER_OPTIONS,
    _release_arguments,
    task=Task.ADDRESSES,
    example="netplane ip release --node n7 --dry-run",
)
