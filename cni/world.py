"""What the daemon stands on, as one value: `cni.machine` makes the real one, tests their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from cni.listeners import Listeners, ProcListeners
from cni.net.kernel import Kernel
from cni.probe import Probe
from cni.system import Exec
from planes.run.clock import Clock
from planes.run.crew import Stuck
from planes.run.metrics import Metrics
from planes.run.supervise import Service
from planes.store.protocol import Store


async def _nothing_open() -> None:
    return None


@dataclass(frozen=True, slots=True)
class World:
    """What the daemon stands on; tests put in what they watch.

    Attributes:
        files: threads for short work on files; None = the event loop's own.
        listeners: what listens on the node.
        boot: which start of the machine this is; "" where that is not known.
        services: what has to run before the store and after it, by name.
        measure: shows what the world knows of itself on the daemon's metrics.
        halt: ends all programs, and lets none be started: the daemon has no time left.
        stuck: tells of threads that are at one piece of work for so many seconds.
        close: gives back what was opened; the last thing that is called.
    """

    store: Store
    kernel: Kernel
    system: Exec
    clock: Clock
    probe: Probe
    files: Executor | None = None
    listeners: Listeners = field(default_factory=ProcListeners)
    boot: str = ""
    services: Mapping[str, Service] = field(default_factory=dict)
    measure: Callable[[Metrics], None] = lambda _metrics: None
    halt: Callable[[], None] = lambda: None
    stuck: Callable[[float], list[Stuck]] = lambda _seconds: []
    close: Callable[[], Awaitable[None]] = _nothing_open
