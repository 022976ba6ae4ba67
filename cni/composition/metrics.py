"""The daemon's metrics: calls, readiness, the journal, binaries and threads that hang."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Histogram

from cni.journal.entry import Stage
from cni.journal.journal import Journal
from cni.journal.pending import SHORT_ID, Pending, pending_of
from cni.plugins.plugin_turns import PluginTurns
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.run.worker_threads import StuckThread

# iptables may wait 30 s for its lock; a job that takes longer than this hangs.
HANGING_SECONDS: Final = 45.0
MOST_SHOWN: Final = 16
_MOST_NAMED: Final = 4
_MOST_OUTCOMES: Final = 64  # pairs of verb and code whose counters are kept at hand
LABEL_CHARACTERS: Final = 128
"""Most characters of network names: tenants write them into NADs, in any length."""


def count_calls(metrics: Metrics) -> Callable[[str, int, float], None]:
    """Return the observer of calls, which takes verb, error code and duration in seconds."""
    labels = ("verb", "code")
    calls = metrics.counter("calls", "CNI calls by verb and error code (0: none)", labels)
    seconds = metrics.seconds("call", "how long CNI calls took", ("verb",))

    @lru_cache(maxsize=_MOST_OUTCOMES)
    def of(verb: str, code: int) -> tuple[Counter, Histogram]:
        return calls.labels(verb, str(code)), seconds.labels(verb)

    def observe(verb: str, code: int, duration: float) -> None:
        count, times = of(verb, code)
        count.inc()
        times.observe(duration)

    return observe


def show_state(
    metrics: Metrics,
    journal: Journal,
    programs: PluginTurns,
    stuck: Callable[[float], list[StuckThread]],
    unready: Callable[[], str],
) -> None:
    """Register gauges of readiness, journal, binaries and threads, computed at each scrape."""
    shown: Mapping[tuple[str, str], Callable[[], int]] = {
        ("ready", "1 while pods of this node start with their planes"): lambda: not unready(),
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


def show_pending(metrics: Metrics, journal: Journal, clock: Clock) -> None:
    """Register age and attempts of pending DELs, of the `MOST_SHOWN` oldest entries.

    The labels are container, interface, networks and the kind of the last error. Pods and the text
    of the error are left to `netplane-cni pending`, as more people may read metrics.
    """

    def rows(value: Callable[[Pending], float]) -> Iterable[tuple[Sequence[str], float]]:
        oldest = pending_of(journal.entries())[:MOST_SHOWN]
        # Shortened container IDs may be equal: a scraper refuses metrics with duplicate rows.
        return {_labels(one): value(one) for one in oldest}.items()

    labels = ("container", "interface", "network", "reason")
    metrics.family(
        "undetached_age_seconds",
        f"how long a DEL has left something behind, the {MOST_SHOWN} oldest",
        labels,
        lambda: rows(lambda one: one.age(clock.now())),
    )
    metrics.family(
        "undetached_attempts",
        f"how often detaching has failed, the {MOST_SHOWN} oldest",
        labels,
        lambda: rows(lambda one: one.attempts),
    )


def _labels(one: Pending) -> tuple[str, ...]:
    networks = " ".join(one.networks[:_MOST_NAMED])[:LABEL_CHARACTERS]
    return one.container_id[:SHORT_ID], one.ifname, networks, one.reason
