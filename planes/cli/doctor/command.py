"""`netplane doctor [NODE]`: what is wrong with this node, or with a node of the cluster."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cni.settings import NODE_OPTIONS
from planes.cli.command import CA, MANIFESTS, NODE, WEBHOOK, Command, Context, Task, UsageError
from planes.cli.console import Console
from planes.cli.reading.place import CONTEXT, KUBECONFIG, REQUEST_TIMEOUT
from planes.model.names import is_dns_subdomain, shown

if TYPE_CHECKING:
    from planes.cli.doctor.api_access import ApiAccess
    from planes.cli.doctor.checkup import Check, CheckResult
    from planes.cli.doctor.node_facts import NodePlaces

_COLOURS: Final = {"error": "red", "warning": "yellow", "hint": "dim"}
_API_SECONDS: Final = 10
"""Less than a check may take: it says then that the API server did not answer."""


def run_doctor(context: Context) -> int:
    """Print what is wrong; return 1 if there is an error among it."""
    # Its checks use the daemon's own code: kernel, journal and API, none of which others load.
    from planes.cli.doctor.checkup import CHECK_SECONDS, examine  # noqa: PLC0415

    name = context.given.node_name or ""
    access = _access(context)
    try:
        checks = _outside(context, name, access) if name else _here(context, access)
        with context.console.progress(f"{len(checks)} checks"):
            results = examine(checks, CHECK_SECONDS)
    finally:
        if access is not None:
            access.close()
    node = name or context.env.get(NODE.variable) or platform.node()
    return report(context.console, node, results)


def report(console: Console, node: str, results: tuple[CheckResult, ...]) -> int:
    """Print the results of checks; return 1 if there is an error among them."""
    findings = [one.as_json(result.name) for result in results for one in result.found]
    findings.sort(key=lambda one: list(_COLOURS).index(one["severity"]))
    unchecked = [(one.name, _reason(one.unchecked)) for one in results if one.unchecked]
    for one in findings:
        console.line(
            f"{one['severity']}: {one['what']}  [{one['check']}]", _COLOURS[one["severity"]]
        )
        console.line(f"  why:  {one['why']}")
        console.line(f"  mend: {one['mend']}")
    reasons: dict[str, list[str]] = {}
    for check, reason in unchecked:
        reasons.setdefault(reason, []).append(check)
    for reason, checks in reasons.items():
        console.line(f"not checked: {', '.join(checks)}: {reason}", "dim")
    counts = {kind: sum(one["severity"] == kind for one in findings) for kind in _COLOURS}
    told = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items() if n)
    left = f"; {len(unchecked)} not checked" if unchecked else ""
    text = f"{len(results)} checks of {node}: {told or 'nothing is wrong'}{left}"
    console.line(text, "" if findings or unchecked else "green")
    console.document(
        {
            "node": node,
            "findings": findings,
            "notChecked": [{"check": check, "reason": reason} for check, reason in unchecked],
            "checks": [{"check": one.name, "title": one.title} for one in results],
        }
    )
    return 1 if counts["error"] else 0


def _reason(text: str) -> str:
    is_refused = any(word in text.lower() for word in ("permission denied", "not permitted"))
    return f"{text} (run as root)" if is_refused and os.geteuid() else text


def _outside(context: Context, name: str, access: ApiAccess | None) -> tuple[Check, ...]:
    from planes.cli.doctor.outside import outside_checks  # noqa: PLC0415

    if context.settings[MANIFESTS.key]:
        raise UsageError(
            f"cannot look at node {shown(name)} with --manifests: they are of this machine",
            remedy="leave NODE out, or unset NETPLANE_MANIFESTS",
        )
    if not is_dns_subdomain(name):
        raise UsageError(
            f"cannot look at node {shown(name)}: that is no name of a node",
            remedy="give one that `kubectl get nodes` shows; on the node itself leave it out",
        )
    if access is None:
        raise UsageError(
            f"cannot look at node {name}: no API server is known",
            remedy="give --kubeconfig, or set KUBECONFIG",
        )
    return outside_checks(access, name)


def _here(context: Context, access: ApiAccess | None) -> tuple[Check, ...]:
    from planes.cli.doctor.node import node_checks  # noqa: PLC0415
    from planes.cli.doctor.node_facts import NodeFacts  # noqa: PLC0415

    facts = NodeFacts(_places(context), access)
    return node_checks(facts, context.settings[WEBHOOK.key], context.settings[CA.key])


def _access(context: Context) -> ApiAccess | None:
    from planes.cli.doctor.api_access import find_access  # noqa: PLC0415

    settings = context.settings
    seconds = min(settings[REQUEST_TIMEOUT.key], _API_SECONDS)
    return find_access(settings[KUBECONFIG.key], settings[CONTEXT.key], context.env, seconds)


def _places(context: Context) -> NodePlaces:
    from planes.cli.doctor.node_facts import NodePlaces  # noqa: PLC0415

    settings = context.settings
    state_dir = Path(settings["state_dir"])
    return NodePlaces(
        state_dir=state_dir,
        addresses=Path(settings["address_dir"] or state_dir / "addresses"),
        socket=Path(settings["socket"]),
        conf_dir=Path(settings["cni_conf_dir"]),
        bin_dirs=settings["cni_bin_dir"],
        data_dirs=settings["data_dirs"],
        root=settings["host_root"].rstrip("/"),
        manifests=context.manifests_dir() if settings[MANIFESTS.key] else None,
        replaces_multus=settings["replace_multus"],
        not_native=settings["native"],
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "node_name",
        nargs="?",
        metavar="NODE",
        help="a node of the cluster, from outside; default: this machine, as root",
    )


DOCTOR: Final = Command(
    ("doctor",),
    "say what is wrong with this node, or a NODE of the cluster, and what mends it",
    run_doctor,
    (KUBECONFIG, CONTEXT, REQUEST_TIMEOUT, MANIFESTS, WEBHOOK, CA, *NODE_OPTIONS),
    _arguments,
    task=Task.DIAGNOSIS,
    example="netplane doctor n1\nsudo netplane doctor --manifests /etc/netplane/manifests",
)
