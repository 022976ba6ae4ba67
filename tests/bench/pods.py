"""Pods with three networks, 1, 8 and 32 at once: time of ADD and DEL, pods per second, CPU.

Bursts of the daemon, of the reference binaries and of the kernel floor (raw netlink batches) take
turns on one node, in the same sandboxes. The published baselines are those of a whole cluster node:
they include its API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.bare_pods import Floor, floor
from tests.bench.networks import Daemon, References, daemon
from tests.bench.nodes import Burst, Crew, crew, node, require
from tests.bench.processes import cpu_seconds
from tests.bench.table import Goal, Row, Side, published, side

MULTUS = "multus thick 4.2.4"
_ROUNDS: Final = {1: 40, 8: 12, 32: 5}
_BASELINE: Final = {1: 48.0, 8: 268.0, 32: 1190.0}
_GOALS: Final = {1: (Goal("<= 1/8", 1 / 8),), 8: (), 32: (Goal("<= 1/12", 1 / 12),)}
_RATE: Final = Goal(">= 10 x", 10.0, is_at_most=False)
_ADD_OF_FLOOR: Final = Goal("<= 4 x kernel floor", 4.0)
_RATE_OF_FLOOR: Final = Goal(">= 1/3 of kernel floor", 1 / 3, is_at_most=False)
_CPU: Final = Goal("<= 6 ms", 6.0)

Bursts = Callable[[str], Burst]
"""Carries out a verb for all pods of a burst."""


@dataclass
class _Times:
    """Milliseconds of one side's bursts, and what they took in all.

    Attributes:
        burst: carries out ADD or DEL of all pods.
        clock: returns the processor seconds used so far; None where they are not measured.
        add: of each ADD.
        delete: of each DEL.
        rate: the pods per second of each burst, ADD and DEL together.
        cpu: milliseconds of processor time of each burst, per pod.
    """

    burst: Bursts
    clock: Callable[[], float] | None = None
    add: list[float] = field(default_factory=list)
    delete: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take_turn(self, *, counts: bool = True) -> None:
        """Attach and detach all pods; `counts` is False for the first, which fill caches."""
        before = self.clock() if self.clock is not None else 0.0
        added, deleted = self.burst("ADD"), self.burst("DEL")
        if not counts:
            return
        self.add += added.each
        self.delete += deleted.each
        self.rate.append(len(added.each) * 1e3 / (added.whole + deleted.whole))
        if self.clock is not None:
            self.cpu.append((self.clock() - before) * 1e3 / len(added.each))


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: not root, or the kernel or the plugins lack something.
    """
    require("bridge", "macvlan", "portmap", "host-local")
    with node(max(_ROUNDS)) as made, floor(made) as bare, daemon(folder, made) as ours:
        references = References(folder / "reference", tuple(made.sandboxes))
        for size, rounds in _ROUNDS.items():
            with crew(made.host, size) as threads:
                sides = _sides(threads, ours, references, bare, size)
                for one in sides:
                    one.take_turn(counts=False)
                for number in range(max(2, round(rounds * scale))):
                    say(f"{size} at once, round {number + 1}")
                    for one in sides:
                        one.take_turn()
            yield from _rows(size, *sides)


def _sides(
    threads: Crew, ours: Daemon, references: References, bare: Floor, size: int
) -> tuple[_Times, _Times, _Times]:
    def daemon_burst(verb: str) -> Burst:
        return threads.burst(ours.add if verb == "ADD" else ours.delete)

    def reference_burst(verb: str) -> Burst:
        return threads.burst(references.add if verb == "ADD" else references.delete)

    return (
        _Times(daemon_burst, lambda: cpu_seconds(ours.pid)),
        _Times(reference_burst),
        _Times(lambda verb: bare.burst(verb, size), lambda: bare.cpu_seconds),
    )


def _rows(size: int, ours: _Times, reference: _Times, bare: _Times) -> Iterable[Row]:
    when = "alone" if size == 1 else f"{size} at once"

    def sides(unit: str, of: str, *goals: Goal) -> tuple[Side, tuple[Side, ...]]:
        is_tail = unit == "ms"
        return (
            side("shim + daemon", unit, getattr(ours, of), tail=is_tail),
            (
                side("reference binaries", unit, getattr(reference, of), tail=is_tail),
                side("kernel floor", unit, getattr(bare, of), *goals, tail=is_tail),
            ),
        )

    first, peers = sides("ms", "add", *([_ADD_OF_FLOOR] if size == 1 else []))
    baseline = published(MULTUS, "ms", _BASELINE[size], *_GOALS[size])
    yield Row(f"three networks, ADD, {when}", first, (*peers, baseline))
    first, peers = sides("ms", "delete")
    yield Row(f"three networks, DEL, {when}", first, peers)
    first, peers = sides("/s", "rate", *([_RATE_OF_FLOOR] if size == max(_ROUNDS) else []))
    baseline = published(MULTUS, "/s", 17.0, *([_RATE] if size > 1 else []))
    yield Row(f"three networks, ADD+DEL, {when}", first, (*peers, baseline))
    yield Row(
        f"processor time of a pod, {when}",
        side("daemon", "ms", ours.cpu, _CPU),
        (side("kernel floor", "ms", bare.cpu),),
    )
