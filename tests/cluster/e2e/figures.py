"""How long pods take and how much the programs hold: told at the end of a run, never asserted."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.lab.node import Node
from tests.cluster.netplane import Workspace
from tests.cluster.workloads import pod

PODS = 10
_PROGRAMS = {"daemon": "python3 -m cni", "webhook": "python3 -m webhook"}


@dataclass
class Figures:
    """What was measured in one run: seconds to Ready by situation, MiB by program."""

    ready: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)

    def time_pods(self, situation: str, space: Workspace) -> None:
        """Create pods one after the other, by turns on both nodes, until each is Ready."""
        # The first pod of a node also waits for what all of them need once.
        for number in range(-2, PODS):
            name = f"timed{number}"
            space.apply(pod(name, node=f"node{number % 2 + 1}"))
            begun = time.monotonic()
            space.wait_ready(name)
            if number >= 0:
                self.ready.setdefault(situation, []).append(time.monotonic() - begun)
            space.kubectl("delete", "pod", name, "--wait")

    def weigh(self, nodes: Sequence[Node]) -> None:
        """Note the resident memory of each of our processes."""
        for program, command in _PROGRAMS.items():
            self.memory[program] = [mib for node in nodes for mib in _resident(node, command)]

    def lines(self) -> list[str]:
        """One line for each situation and program."""
        times = [
            f"pod to Ready, {situation}: {statistics.median(found):.2f} s "
            f"({min(found):.2f} to {max(found):.2f}, {len(found)} pods)"
            for situation, found in self.ready.items()
        ]
        memory = [
            f"memory of a {program}: {', '.join(f'{mib:.0f}' for mib in sorted(found))} MiB"
            for program, found in self.memory.items()
        ]
        return times + memory

    def write(self, path: Path) -> None:
        """Keep all samples."""
        path.write_text(json.dumps({"ready": self.ready, "memory": self.memory}, indent=1))


def _resident(node: Node, command: str) -> list[float]:
    """MiB of each process of a node whose command line begins so."""
    seen = f"tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^{command}'"
    script = f"for p in /proc/[0-9]*; do if {seen}; then grep ^VmRSS: $p/status; fi; done"
    lines = node.run("sh", "-c", script).splitlines()
    return [int(line.split()[1]) / 1024 for line in lines]
