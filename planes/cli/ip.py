"""`netplane ip`: the addresses of a cluster's planes, over a kubeconfig.

`check` compares and changes nothing. `release --node` is what an administrator asserts: that a node
runs no pods any more. `release --claims` releases what was kept for claims that are gone. All ask
the API server with the user's own credentials.
"""

from __future__ import annotations

import argparse
from typing import Final

from planes.cli.command import Command, Context, UsageError
from planes.cli.reading.place import CLUSTER_OPTIONS, at_cluster
from planes.model.names import is_dns_subdomain, shown


def run_check(context: Context) -> int:
    """Print what does not fit; return 1 if anything does not."""
    from planes.cli.cluster_addresses import check  # noqa: PLC0415

    found = at_cluster(context, check)
    console = context.console
    rows = [(e.kind, e.plane, e.what, e.node, e.pod, e.text) for e in found]
    if found:
        console.table(("KIND", "PLANE", "WHAT", "NODE", "POD", "WHY"), rows)
    else:
        console.line("blocks, holders, claims, pods and nodes fit together", "green")
    console.document([entry.as_json() for entry in found])
    return 1 if found else 0


def run_release(context: Context) -> int:
    """Release what a node has, or what claims kept; return 1 if something of it stays."""
    return _release_claims(context) if context.given.claims else _release_node(context)


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
    CLUSTER_OPTIONS,
)
IP_RELEASE: Final = Command(
    ("ip", "release"),
    "release addresses of a node that is off for good, or of claims that are gone",
    run_release,
    CLUSTER_OPTIONS,
    _release_arguments,
)
