"""What was seen of Netplane on a cluster. Values only; None is what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from planes.cli.reading.plane_conditions import PlaneStatusSeen
from planes.model.errors import JsonObject


@dataclass(frozen=True, slots=True)
class StatusFault:
    """Something that is not well: what, and what to do."""

    what: str
    remedy: str

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReadyReplicas:
    """How many of a Deployment or DaemonSet are ready, how many are wanted, and their image."""

    wanted: int
    ready: int
    image: str


@dataclass(frozen=True, slots=True)
class LeaderSeen:
    """The holder of the webhook's Lease, "" for none; `seconds` since it was renewed, if known."""

    holder: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """How long a certificate is valid.

    Attributes:
        what: names it.
        days: left; None where there is none, or it does not say.
        fault: why `days` is None, where that is a fault.
    """

    what: str
    days: float | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class DaemonSeen:
    """The daemon of one node.

    Attributes:
        why: it is not ready, where its pod says why.
        failing: planes that the node fails to attach, by its own report, with the reason of each.
    """

    node: str
    pod: str
    is_ready: bool
    image: str
    restarts: int = 0
    why: str = ""
    failing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events of one reason in one namespace.

    Attributes:
        last: when the latest was seen.
        about: the object of the latest, e.g. `Pod shop/web-0`.
        message: of the latest.
    """

    last: str
    reason: str
    namespace: str
    count: int
    about: str
    message: str


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """Everything that was seen.

    Attributes:
        nodes: that run Linux.
        events: of the last hour, latest first.
        absent: what has to be there and is not.
        unknown: what could not be read, and why.
    """

    webhook: ReadyReplicas | None = None
    leader: LeaderSeen | None = None
    certificates: tuple[CertificateSeen, ...] | None = None
    daemons: ReadyReplicas | None = None
    nodes: tuple[str, ...] | None = None
    daemon_pods: tuple[DaemonSeen, ...] | None = None
    planes: tuple[PlaneStatusSeen, ...] | None = None
    events: tuple[EventGroup, ...] | None = None
    absent: tuple[StatusFault, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_nothing_known(self) -> bool:
        """Whether nothing at all could be read."""
        parts = (self.webhook, self.leader, self.certificates, self.daemons, self.nodes)
        more = (self.daemon_pods, self.planes, self.events)
        return not self.absent and all(part is None for part in (*parts, *more))

    def as_json(self) -> JsonObject:
        """Return it as it is printed; what could not be read is null."""
        found = asdict(self)
        for key in ("absent", "unknown"):  # they are printed beside it
            del found[key]
        return found
