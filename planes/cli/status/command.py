"""`netplane status`: whether all of Netplane is well, on a cluster or on one machine.

Exit status 0 where all is well, 1 where something is not. What the user may not read is told and
is no fault, unless `--strict` is given: people without rights in netplane-system ask, too.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planes.cli.command import CA, MANIFESTS, SOCKET, STATE_DIR, WEBHOOK, Command, Context, Task
from planes.cli.reading.place import CONTEXT, KUBECONFIG, PLACE_OPTIONS, Place, at_place
from planes.model.errors import Unavailable
from planes.run.clock import Clock, SystemClock
from planes.run.values import whole

if TYPE_CHECKING:
    from planes.cli.status.report import StatusReport

_WAIT: Final = 300
_LONGEST_WAIT: Final = 86400


def run_status(context: Context) -> int:
    """Print how Netplane is; return 1 if anything is not well."""
    settings = context.settings
    names_cluster = settings[KUBECONFIG.key] or settings[CONTEXT.key]
    if settings[MANIFESTS.key] and not names_cluster:
        # Not by `at_place`: while this waits, manifests may be corrected, and are read again.
        report = asyncio.run(on_machine(context, SystemClock()))
    else:
        report = _of_cluster(context)
    from planes.cli.status.printing import print_report  # noqa: PLC0415

    context.console.document(report.as_json())
    print_report(context.console, report)
    return 0 if report.is_well else 1


def _of_cluster(context: Context) -> StatusReport:
    from planes.cli.status.report import away  # noqa: PLC0415

    waits = context.given.wait
    try:
        return at_place(context, lambda place: on_cluster(context, place), waits=waits)
    except Unavailable as error:  # a document is printed of it, too
        return away("the cluster", error)


async def on_cluster(context: Context, place: Place) -> StatusReport:
    """Look at a cluster, until it is well where the user waits.

    Raises:
        Unavailable: the API server does not answer, and the user does not wait.
    """
    from planes.cli.status.gathering import cluster_seen  # noqa: PLC0415
    from planes.cli.status.report import report_of  # noqa: PLC0415

    async def look() -> StatusReport:
        seen = await cluster_seen(place.api, place.clock)
        return report_of(place.title, seen, is_strict=context.given.strict)

    return await _looked(context, place.clock, look)


async def on_machine(context: Context, clock: Clock) -> StatusReport:
    """Look at one machine, until it is well where the user waits.

    Raises:
        PlanesError: the manifest directory cannot be read.
    """
    from planes.cli.status.machine import MachineOptions, machine_seen  # noqa: PLC0415
    from planes.cli.status.report import report_of  # noqa: PLC0415

    options = MachineOptions(
        context.manifests_dir(),
        Path(context.required(STATE_DIR)),
        Path(context.required(SOCKET)),
        context.required(WEBHOOK),
        context.settings[CA.key] or "",
    )

    async def look() -> StatusReport:
        seen = await machine_seen(options, clock)
        return report_of(str(options.directory), seen, is_strict=context.given.strict)

    return await _looked(context, clock, look)


async def _looked(
    context: Context, clock: Clock, look: Callable[[], Awaitable[StatusReport]]
) -> StatusReport:
    if not context.given.wait:
        return await look()
    from planes.cli.status.report import look_until_well  # noqa: PLC0415

    def told(report: StatusReport) -> None:
        missing = [fault.what for fault in report.faults] or list(report.unknown)
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        context.console.note(f"waiting: {missing[0]}{more}")

    return await look_until_well(look, clock, context.given.timeout, told)


def _seconds(text: str) -> int:
    try:
        return whole(text, 1, _LONGEST_WAIT)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", action="store_true", help="wait until all is well, looking every 2 seconds"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_WAIT,
        metavar="N",
        help="with --wait: seconds after which it is given up (default: %(default)s)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="what may not be read counts as a fault"
    )


STATUS: Final = Command(
    words=("status",),
    help="say whether all is well: webhook, leader, certificates, daemons, planes",
    run=run_status,
    options=(*PLACE_OPTIONS, SOCKET, WEBHOOK, CA),
    add_arguments=_arguments,
    task=Task.DIAGNOSIS,
    example="netplane status --wait --timeout 120",
)
