"""What becomes of each NAD: carried out by Netplane, by a binary, or refused; and who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from planes.model.decide.nad_review import review_nad
from planes.model.errors import Finding, JsonObject, PlanesError
from planes.model.lines import one_line
from planes.model.objects import Nad, Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts, nad_facts
from planes.model.wire.native_types import Executed, executed_by
from planes.model.wire.netconf import ConfList, parse_conflist

_MOST_NAMES: Final = 3
_MOST_PLACES: Final = 64
_MOST_IPS: Final = 64
_MOST_TYPES: Final = 16
_LONGEST: Final = 64


class Handling(StrEnum):
    """Who carries a NAD out."""

    NATIVE = "native"
    EXECUTED = "executed"
    OF_NODE = "file of the node"
    REFUSED = "refused"


@dataclass(slots=True)
class NadUse:
    """The pods that name a NAD; of names and places a bounded number is kept."""

    pods: int = 0
    names: list[str] = field(default_factory=list)
    namespaces: set[str] = field(default_factory=set)
    ips: set[str] = field(default_factory=set)

    def add(self, pod: Pod, ips: Sequence[str]) -> None:
        """Take a pod, and the addresses that it asks for."""
        self.pods += 1
        if len(self.names) < _MOST_NAMES:
            self.names.append(pod.key)
        if len(self.namespaces) < _MOST_PLACES:
            self.namespaces.add(pod.namespace)
        self.ips.update(ips[: _MOST_IPS - len(self.ips)])


@dataclass(frozen=True, slots=True)
class MigratedNad:
    """One NAD; `types` are its plugins and their IPAM, printable."""

    nad: Nad
    facts: NadFacts
    handling: Handling
    types: tuple[str, ...]
    executed: tuple[Executed, ...]
    errors: Sequence[Finding]
    warnings: Sequence[Finding]
    use: NadUse

    @property
    def carried_out(self) -> str:
        """Return by what, in words."""
        if self.handling is not Handling.EXECUTED:
            return str(self.handling)
        return "executes " + ", ".join(_shown(each) for each in self.executed)

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "namespace": self.nad.namespace,
            "name": self.nad.name,
            "handling": str(self.handling),
            "types": list(self.types),
            "executed": [{"type": _plain(e.type), "why": e.why} for e in self.executed],
            "pods": self.use.pods,
            "usedBy": self.use.names,
            "namespaces": sorted(self.use.namespaces),
            "errors": listed_findings(self.errors),
            "warnings": listed_findings(self.warnings),
        }


def judge(nad: Nad, catalog: Catalog, namespace: Namespace | None, use: NadUse) -> MigratedNad:
    """Return what the webhook would say of a NAD, and who carries it out."""
    review = review_nad(nad, catalog, namespace=namespace)
    facts, errors = nad_facts(nad), review.errors
    conflist, executed, types = _plugins(nad)
    if facts.fault and not errors:
        errors = (Finding("spec.config", facts.fault, facts.remedy),)
    if errors:
        handling = Handling.REFUSED
    elif conflist is None:
        handling = Handling.OF_NODE
    else:
        handling = Handling.EXECUTED if executed else Handling.NATIVE
    return MigratedNad(nad, facts, handling, types, executed, errors, review.warnings, use)


def listed_findings(findings: Sequence[Finding]) -> list[JsonObject]:
    """Return findings as they are printed."""
    return [{"path": f.path, "message": f.message, "remedy": f.remedy} for f in findings]


def _plugins(nad: Nad) -> tuple[ConfList | None, tuple[Executed, ...], tuple[str, ...]]:
    """Return the network, the binaries that it needs, its types; nothing where it is no network."""
    if nad.fault or not nad.config.strip():
        return None, (), ()
    try:
        found = parse_conflist(nad.config, default_name=nad.name, what=f"the NAD {nad.ref}")
        return found, executed_by(found), _types(found)
    except PlanesError:
        return None, (), ()


def _types(conflist: ConfList) -> tuple[str, ...]:
    return tuple(
        _plain(plugin.type) + (f"+{_plain(plugin.ipam_type)}" if plugin.ipam_type else "")
        for plugin in conflist.plugins[:_MOST_TYPES]
    )


def _plain(text: str) -> str:
    return one_line(text, _LONGEST)


def _shown(executed: Executed) -> str:
    return _plain(executed.type) + (f" ({executed.why})" if executed.why else "")
