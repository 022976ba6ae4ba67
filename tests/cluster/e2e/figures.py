"""How long pods take and how much the programs hold: told at the end of a run, never asserted."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.cluster.lab.node import Node
from tests.cluster.netplane import Workspace
from tests.cluster.workloads import deployment, pod

PODS = 10
CROWD = 40
_PROGRAMS = {"daemon": "python3 -m cni", "webhook": "python3 -m webhook"}


@dataclass
class Figures:
    """What was measured in one run.

    Attributes:
        ready: seconds of one pod to Ready, by situation.
        crowd: seconds until the last of many pods was Ready, by situation, for each turn.
        processor: seconds of processor time of a program while many pods were created, in all of
            its processes, by situation and program, for each turn.
        memory: MiB by program.
        passed: seconds from what happened to what came of it, by both.
    """

    ready: dict[str, list[float]] = field(default_factory=dict)
    crowd: dict[str, list[float]] = field(default_factory=dict)
    processor: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)
    passed: dict[str, float] = field(default_factory=dict)

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

    def time_crowd(self, situation: str, space: Workspace, needs: Sequence[str]) -> None:
        """Create many pods at once on all nodes, until the last is Ready; then delete them.

        Args:
            situation: what the pods have, in words.
            space: a namespace of theirs.
            needs: the interfaces that each pod has to find.
        """
        nodes = space.cluster.nodes
        before = {program: _processor(nodes, command) for program, command in _PROGRAMS.items()}
        begun = time.monotonic()
        space.apply(deployment("crowd", CROWD, needs=needs))
        space.kubectl("rollout", "status", "deployment/crowd", "--timeout=180s", seconds=190)
        self.crowd.setdefault(situation, []).append(time.monotonic() - begun)
        used = self.processor.setdefault(situation, {})
        for program, command in _PROGRAMS.items():
            seconds = _processor(nodes, command) - before[program]
            used.setdefault(program, []).append(seconds)
        space.kubectl("delete", "deployment", "crowd", "--wait")
        space.cluster.wait_for("no pods", lambda: not space.pods(), seconds=180)

    def note(self, what: str, seconds: float) -> None:
        """Note how long something took."""
        self.passed[what] = seconds

    def weigh(self, nodes: Sequence[Node]) -> None:
        """Note the resident memory of each of our processes."""
        for program, command in _PROGRAMS.items():
            self.memory[program] = [mib for node in nodes for mib in _resident(node, command)]

    def lines(self) -> list[str]:
        """Return one line for each situation and program."""
        times = [
            f"pod to Ready, {situation}: {statistics.median(found):.2f} s "
            f"({min(found):.2f} to {max(found):.2f}, {len(found)} pods)"
            for situation, found in self.ready.items()
        ]
        memory = [
            f"memory of a {program}: {', '.join(f'{mib:.0f}' for mib in sorted(found))} MiB"
            for program, found in self.memory.items()
        ]
        passed = [f"{what}: {seconds:.0f} s" for what, seconds in self.passed.items()]
        return [*times, *self._crowd_lines(), *memory, *passed]

    def _crowd_lines(self) -> list[str]:
        lines = []
        alone = statistics.median(next(iter(self.crowd.values()), [0.0]))
        for situation, found in self.crowd.items():
            seconds = statistics.median(found)
            programs = ", ".join(
                f"{program}s {statistics.median(used):.2f} s"
                for program, used in self.processor[situation].items()
            )
            lines.append(
                f"{CROWD} pods to Ready, {situation}: {seconds:.2f} s ({min(found):.2f} to"
                f" {max(found):.2f}; {seconds / alone - 1:+.0%}); processor time: {programs}"
            )
        return lines

    def write(self, path: Path) -> None:
        """Keep all samples."""
        path.write_text(json.dumps(asdict(self), indent=1))


def _processor(nodes: Sequence[Node], command: str) -> float:
    """Return the seconds of processor time that these processes have taken on all nodes."""
    ticks = 0
    for node in nodes:
        for line in _each_process(node, command, "cat $p/stat"):
            # Fields 14 and 15 of proc(5) stat; the name in the second one may have spaces.
            ticks += sum(map(int, line.rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident(node: Node, command: str) -> list[float]:
    """MiB of each process of a node whose command line begins so."""
    lines = _each_process(node, command, "grep ^VmRSS: $p/status")
    return [int(line.split()[1]) / 1024 for line in lines]


def _each_process(node: Node, command: str, shown: str) -> list[str]:
    """Return what a shell command shows for each process of a node; `$p` is its /proc folder."""
    seen = f"tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^{command}'"
    script = f"for p in /proc/[0-9]*; do if {seen}; then {shown}; fi; done"
    return node.run("sh", "-c", script).splitlines()
