"""`netplane ip`: the addresses of a cluster's planes, over a kubeconfig.

`check` compares and changes nothing. `release --node` is what an administrator asserts: that a node
runs no pods any more. `release --claims` releases what was kept for claims that are gone. All ask
the API server with the user's own credentials.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from planes.cli.command import Command, Context, UsageError
from planes.model.names import is_dns_subdomain, shown
from planes.run.clock import Clock, SystemClock
from planes.run.settings import Option

if TYPE_CHECKING:
    from planes.kube.api import KubeApi

T = TypeVar("T")

KUBECONFIG: Final = Option(
    "--kubeconfig",
    None,
    "how to reach the API server; default: KUBECONFIG, then ~/.kube/config",
    metavar="FILE",
)
CONTEXT: Final = Option(
    "--context", "", "context of the kubeconfig; default: its current one", metavar="NAME"
)


def run_check(context: Context) -> int:
    """Print what does not fit; return 1 if anything does not."""
    from planes.cli.cluster_addresses import check  # noqa: PLC0415

    found = _asked(context, check)
    console = context.console
    rows = [(e.kind, e.plane, e.what, e.node, e.pod, e.text) for e in found]
    if found:
        console.table(("KIND", "PLANE", "WHAT", "NODE", "POD", "WHY"), rows)
    else:
        console.line("blocks, holders, claims, pods and nodes fit together", "green")
    console.print_json([entry.as_json() for entry in found])
    return 1 if found else 0


def run_release(context: Context) -> int:
    """Release what a node has, or what claims kept; return 1 if something of it stays."""
    return _release_claims(context) if context.given.claims else _release_node(context)


def _release_claims(context: Context) -> int:
    from planes.cli.claim_addresses import release_claims  # noqa: PLC0415

    is_dry_run, console, stays = context.given.dry_run, context.console, list[str]()
    with console.progress("looking twice, a minute apart, which claims are gone"):
        done = _asked(
            context,
            lambda api, clock: release_claims(api, clock, is_dry_run=is_dry_run, told=stays.append),
        )
    verb = "would release" if is_dry_run else "released"
    for one in done:
        console.line(f"{verb} address {one.address} of plane {one.plane}, kept for {one.claim}")
    if not done:
        console.line("nothing is kept for a claim that is gone")
    for text in stays:
        console.warn(text)
    found = [{"block": one.block, "address": str(one.address), "claim": one.claim} for one in done]
    console.print_json({"dryRun": is_dry_run, "kept": found, "stays": stays})
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
        done = _asked(
            context,
            lambda api, clock: release(api, clock, node, is_dry_run=is_dry_run, told=stays.append),
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
    console.print_json({"node": node, "dryRun": is_dry_run, **done.as_json(), "stays": stays})
    return 1 if stays else 0


def _asked(context: Context, work: Callable[[KubeApi, Clock], Awaitable[T]]) -> T:
    """Do something with the API server of the user's kubeconfig."""
    # They take longer to load than all of the other commands.
    from planes.kube.client.access import connect  # noqa: PLC0415

    async def run() -> T:
        clock = SystemClock()
        agent = f"netplane/{version('netplane')}"
        client = connect(
            _kubeconfig(context),
            user_agent=agent,
            clock=clock,
            context=context.settings[CONTEXT.key],
        )
        async with client as api:
            return await work(api, clock)

    return asyncio.run(run())


def _kubeconfig(context: Context) -> Path:
    given = context.settings[KUBECONFIG.key] or context.env.get("KUBECONFIG")
    if given:
        return Path(given.partition(":")[0])
    return Path(context.env.get("HOME") or "/") / ".kube" / "config"


def _release_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--node", default="", metavar="NAME", help="the node, which must run no pods any more"
    )
    what.add_argument(
        "--claims", action="store_true", help="what was kept for IPAMClaims that are gone"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be released, and release nothing"
    )


IP_CHECK: Final = Command(
    ("ip", "check"),
    "compare blocks, holders, claims, pods and nodes; nothing is changed",
    run_check,
    (KUBECONFIG, CONTEXT),
)
IP_RELEASE: Final = Command(
    ("ip", "release"),
    "release addresses of a node that is off for good, or of claims that are gone",
    run_release,
    (KUBECONFIG, CONTEXT),
    _release_arguments,
)
