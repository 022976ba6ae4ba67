"""`netplane-cni check-addresses` and `adopt`: what is wrong with addresses, and what to take over.

Both ask the daemon on this node, which alone sees pods, journal, records and sandboxes together.
`check-addresses` changes nothing; `adopt` does so only with `--apply`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

from cni.reconcile.address_report import CHECK_ADDRESSES
from cni.reconcile.adoption import ADOPT
from cni.serving.asking import ask_daemon
from cni.settings import ADDRESS_OPTIONS, PROG
from planes.model.encode import dumps
from planes.model.errors import JsonObject, NotFound
from planes.model.lines import printable
from planes.run.settings import Parser, add_arguments, resolve

FOUND: Final = 3
"""The exit status where something was found that an administrator has to look at."""
_FINDINGS: Final = ("KIND", "WHERE", "ADDRESS", "HOLDER", "OUTLOOK")
_ADOPTIONS: Final = ("VERDICT", "PLANE", "ADDRESS", "HOLDER", "SOURCES", "NETWORKS", "DOUBTS")


def check_addresses(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """List what is wrong with addresses of this node; return the exit status.

    Raises:
        SystemExit: 2 after one line about a flag; 0 after `--help`.
        PlanesError: the daemon cannot be reached.
    """
    parser = Parser(
        prog=f"{PROG} {CHECK_ADDRESSES}",
        description="Compare the journal, address records, sandboxes and pods of this node.",
        allow_abbrev=False,
    )
    given, answer = _ask(parser, CHECK_ADDRESSES, argv, env, lambda _: {})
    found = list(answer["findings"])
    if given.output == "json":
        _print(dumps(found, "the findings").decode())
    elif not found:
        _print("all addresses of this node are accounted for")
    else:
        keys = ("kind", "where", "address", "holder", "outlook")
        _show([_FINDINGS, *(tuple(str(one[key]) for key in keys) for one in found)])
    return FOUND if found else 0


def adopt(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Show which addresses in use planes would take over, or take them over.

    Returns the exit status: 0, or `FOUND` where something could not be taken over.

    Raises:
        SystemExit: 2 after one line about a flag; 0 after `--help`.
        PlanesError: the daemon cannot be reached, or a source cannot be read.
    """
    parser = Parser(
        prog=f"{PROG} {ADOPT}",
        description="Take over addresses that pods of this node have from another IPAM.",
        allow_abbrev=False,
    )
    parser.add_argument("--plane", default="", help="this plane alone (default: all)")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME",
        help="of files of host-local and pools of whereabouts, those of this network alone; may be "
        "repeated (default: all)",
    )
    parser.add_argument(
        "--apply", action="store_true", help="hold them; without it nothing changes"
    )

    def body(asked: argparse.Namespace) -> JsonObject:
        return {"plane": asked.plane, "networks": asked.network, "apply": asked.apply}

    given, answer = _ask(parser, ADOPT, argv, env, body)
    found = list(answer["addresses"])
    if given.output == "json":
        _print(dumps(answer, "the addresses").decode())
    elif not found:
        _print("no address of a plane is in use without being held")
    else:
        _show([_ADOPTIONS, *map(_row, found)])
        if not given.apply:
            _print("nothing was changed; add --apply to hold these addresses")
    return FOUND if any(one["verdict"] in {"conflict", "refused"} for one in found) else 0


def _ask(
    parser: argparse.ArgumentParser,
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    body: Callable[[argparse.Namespace], JsonObject],
) -> tuple[argparse.Namespace, dict[str, Any]]:
    parser.add_argument(
        *("-o", "--output"), choices=("text", "json"), default="text", help="(default: text)"
    )
    add_arguments(parser, ADDRESS_OPTIONS)
    given = parser.parse_args(list(argv))
    settings = resolve(ADDRESS_OPTIONS, vars(given), env)
    answer = ask_daemon(
        settings["socket"],
        f"/v1/{name}",
        body(given),
        "look at the addresses of this node",
        remedy="look at the daemon's log",
    )
    if answer is None:
        raise NotFound(
            f"cannot look at the addresses of this node: no daemon listens at {settings['socket']}",
            remedy="start it, or name its socket with --socket",
        )
    return given, answer


def _row(one: JsonObject) -> tuple[str, ...]:
    listed = (",".join(one[key]) or "-" for key in ("sources", "networks"))
    doubts = "; ".join(one["doubts"]) or "-"
    return (one["verdict"], one["plane"], one["address"], one["holder"], *listed, doubts)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _show(rows: Sequence[Sequence[str]]) -> None:
    # Names of interfaces and networks are of pods and tenants: no escape may reach a terminal.
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        _print("  ".join((*cells, row[-1])))
