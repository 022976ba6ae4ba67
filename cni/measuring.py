"""The daemon's own metrics: calls, and what hangs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cni.entry import Stage
from cni.journal import Journal
from cni.programs import Programs
from planes.run.crew import Stuck
from planes.run.metrics import Metrics

# A packet filter tool may wait 30 s for its lock; what is longer at it than this does not end.
HANGING_SECONDS: Final = 45.0


def count_calls(metrics: Metrics) -> Callable[[str, int, float], None]:
    """Count calls and measure them: gives who is told of each verb, error code and duration."""
    labels = ("verb", "code")
    calls = metrics.counter("calls", "CNI calls by verb and error code (0: none)", labels)
    seconds = metrics.seconds("call", "how long CNI calls took", ("verb",))

    def observe(verb: str, code: int, duration: float) -> None:
        calls.labels(verb, str(code)).inc()
        seconds.labels(verb).observe(duration)

    return observe


def show_state(
    metrics: Metrics,
    journal: Journal,
    programs: Programs,
    stuck: Callable[[float], list[Stuck]],
) -> None:
    """Show the journal's length, and what hangs: binaries, threads, DELs that are not done."""
    shown: Mapping[tuple[str, str], Callable[[], int]] = {
        ("journal_entries", "calls the journal remembers"): lambda: len(journal),
        ("undetached", "DELs that left something behind, which is tried again"): (
            lambda: sum(one.stage is Stage.LEAVING for one in journal.entries())
        ),
        ("programs", "plugin binaries that run"): lambda: len(programs),
        ("programs_waiting", "calls that wait for their turn to run a plugin binary"): (
            lambda: programs.waiting
        ),
        ("threads_hanging", f"threads at one piece of work for over {HANGING_SECONDS:g} s"): (
            lambda: len(stuck(HANGING_SECONDS))
        ),
    }
    for (name, text), count in shown.items():
        metrics.gauge(name, text).set_function(count)
