"""Pods with three networks, one, 8 and 32 at once: ADD, DEL and both per second.

Bursts of the daemon and of the reference binaries take turns on one node, in the same sandboxes.
The published baselines are those of a whole cluster node: they include its API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.bench.networks import Daemon, References, daemon
from tests.bench.nodes import Crew, crew, node, require
from tests.bench.table import Goal, Row, Side, published, side

MULTUS = "multus thick 4.2.4"
_ROUNDS = {1: 40, 8: 12, 32: 5}
_BASELINE = {1: 48.0, 8: 268.0, 32: 1190.0}
_GOALS = {1: (Goal("<= 1/8", 1 / 8),), 8: (), 32: (Goal("<= 1/12", 1 / 12),)}
_RATE = Goal(">= 10 x", 10.0, is_at_most=False)


class _Attaches(Protocol):
    def add(self, number: int) -> None: ...

    def delete(self, number: int) -> None: ...


@dataclass
class _Times:
    """What one side's bursts took, in milliseconds; `rate` is pods per second of each burst."""

    add: list[float] = field(default_factory=list)
    delete: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)

    def burst(self, crew_: Crew, pods: _Attaches) -> None:
        added = crew_.burst(pods.add)
        deleted = crew_.burst(pods.delete)
        self.add += added.each
        self.delete += deleted.each
        self.rate.append(len(added.each) * 1e3 / (added.whole + deleted.whole))


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: not root, or the kernel or the plugins lack something.
    """
    require("bridge", "macvlan", "portmap", "host-local")
    with node(max(_ROUNDS)) as made, daemon(folder, made) as ours:
        references = References(folder / "reference", tuple(made.sandboxes))
        for size, rounds in _ROUNDS.items():
            with crew(made.host, size) as threads:
                times = _turns(threads, ours, references, max(2, round(rounds * scale)), say, size)
            yield from _rows(size, *times)


def _turns(
    threads: Crew,
    ours: Daemon,
    references: References,
    rounds: int,
    say: Callable[[str], None],
    size: int,
) -> tuple[_Times, _Times]:
    for pods in (ours, references):  # bridges are made and caches filled by the first pods
        _Times().burst(threads, pods)
    found = _Times(), _Times()
    for number in range(rounds):
        say(f"{size} at once, round {number + 1} of {rounds}")
        found[0].burst(threads, ours)
        found[1].burst(threads, references)
    return found


def _rows(size: int, ours: _Times, reference: _Times) -> Iterable[Row]:
    when = "alone" if size == 1 else f"{size} at once"

    def ours_and_peer(unit: str, verb: str, tail: bool) -> tuple[Side, Side]:
        return (
            side("shim + daemon", unit, getattr(ours, verb), tail=tail),
            side("reference binaries", unit, getattr(reference, verb), tail=tail),
        )

    first, peer = ours_and_peer("ms", "add", tail=True)
    baseline = published(MULTUS, "ms", _BASELINE[size], *_GOALS[size])
    yield Row(f"three networks, ADD, {when}", first, (peer, baseline))
    first, peer = ours_and_peer("ms", "delete", tail=True)
    yield Row(f"three networks, DEL, {when}", first, (peer,))
    first, peer = ours_and_peer("/s", "rate", tail=False)
    baseline = published(MULTUS, "/s", 17.0, *([_RATE] if size > 1 else []))
    yield Row(f"three networks, ADD+DEL, {when}", first, (peer, baseline))
