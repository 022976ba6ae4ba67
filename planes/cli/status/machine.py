"""Whether Netplane is well on one machine: its daemon, its webhook, its manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.state import read_state
from planes.cli.status.cluster_facts import EventGroup, StatusFault
from planes.cli.status.probes import ProbeAnswer, ask_socket, ask_webhook
from planes.cli.status.recent_events import recent
from planes.model.errors import JsonObject
from planes.run.clock import Clock
from planes.run.jobs import start
from planes.store.protocol import Problem


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """Where things are on a machine; the webhook is asked where `ca` is not ""."""

    directory: Path
    state_dir: Path
    socket: Path
    webhook: str
    ca: str


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """Everything that was seen.

    Attributes:
        webhook: None where it was not asked.
        planes: the names of those in force.
        pods: how many there are manifests of.
        events: of the last hour, latest first.
    """

    daemon: ProbeAnswer
    webhook: ProbeAnswer | None
    planes: tuple[str, ...]
    pods: int
    problems: tuple[Problem, ...]
    events: tuple[EventGroup, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """What was not asked, and why."""
        if self.webhook is not None:
            return ()
        return ("not known: how the webhook is; give --ca, and --webhook where it is elsewhere",)

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return asdict(self)


async def machine_seen(options: MachineOptions, clock: Clock) -> MachineSeen:
    """Ask and read all that is judged.

    Raises:
        PlanesError: the manifest directory cannot be read.
    """
    daemon = await start(lambda: ask_socket(options.socket))
    webhook = None
    if options.ca:
        webhook = await start(lambda: ask_webhook(options.webhook, options.ca))
    state, problems = await start(
        lambda: read_state(options.directory, state_dir=options.state_dir)
    )
    api = DirectoryApi(options.directory, options.state_dir)
    return MachineSeen(
        daemon,
        webhook,
        tuple(plane.name for plane in state.catalog.planes),
        len(state.pods),
        problems,
        await recent(api, clock.now()),
    )


def machine_faults(seen: MachineSeen) -> Iterator[StatusFault]:
    """Yield every fault, in the order in which they should be mended."""
    if not seen.daemon.is_asked:
        what = f"whether the daemon is ready is not known: {seen.daemon.why}"
        yield StatusFault(what, "run this as root")
    elif not seen.daemon.is_ready:
        what = f"the daemon is not ready: {seen.daemon.why}"
        yield StatusFault(what, "start netplane-cni, or look at its log")
    if seen.webhook is not None and not seen.webhook.is_asked:
        what = f"whether the webhook is ready is not known: {seen.webhook.why}"
        yield StatusFault(what, "run this as root, or give a copy of ca.crt that you may read")
    elif seen.webhook is not None and not seen.webhook.is_ready:
        what = f"the webhook is not ready: {seen.webhook.why}"
        yield StatusFault(what, "start netplane-webhook --standalone DIR, or look at its log")
    for problem in seen.problems:
        yield StatusFault(f"{problem.where} is ignored: {problem.reason}", "correct it")
