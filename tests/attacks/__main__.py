"""Runs the measured attacks and prints their figures: `make attacks`.

usage: python -m tests.attacks [NAME …] [--output FILE.json]

Without names every measurement runs. Exit code 1 where memory or a count exceeded its bound; what
the speed of the machine decides is told, but proves nothing on one that is slow or does other work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.attacks.figures import kill_storm, local_metrics, peer_port, tenant_objects
from tests.attacks.figures.figure import Figure, Measure
from tests.attacks.figures.hanging import hanging_plugins

MEASURES: Mapping[str, Measure] = {
    "kill-storm": kill_storm.measure,
    "tenant-nads": tenant_objects.measure_nads,
    "tenant-pods": tenant_objects.measure_pods,
    "peer-port": peer_port.measure,
    "local-metrics": local_metrics.measure,
    "hanging-plugins": hanging_plugins,
}


def main(arguments: list[str]) -> int:
    """Run what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASURES) or "none")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(arguments)
    unknown = set(given.names) - set(MEASURES)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    found: list[Figure] = []
    for name in given.names or MEASURES:
        for figure in MEASURES[name]():
            found.append(figure)
            sys.stdout.write(f"{_row(figure)}\n")
            sys.stdout.flush()
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps([asdict(one) for one in found], indent=1))
    broken = [one for one in found if not (one.holds or one.is_told)]
    for figure in broken:
        sys.stderr.write(f"attacks: broken: {_row(figure)}\n")
    return 1 if broken else 0


def _row(figure: Figure) -> str:
    verdict = "holds" if figure.holds else "BROKEN"
    measured, bound = (
        f"{one:.4g} {figure.unit}".strip() for one in (figure.measured, figure.bound)
    )
    return f"| {figure.attack} | {figure.what} | {measured} | ≤ {bound} | {verdict} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
