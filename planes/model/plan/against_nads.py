"""A plan beside the NADs that are there already: what both say, and what only a NAD says.

A NAD belongs to a network by its name (`business`, `business-network`, `business-net`), else by its
subnet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from planes.model.addresses import parse_network
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.objects import Nad
from planes.model.plan.plan_text import joined
from planes.model.plan.words import NAMESPACES
from planes.model.spec.plane_spec import EXEMPT_NAMESPACES, JOINED
from planes.model.state.nad_facts import NadFacts, nad_facts

_SUFFIXES: Final = ("", "-network", "-net")
_HOME: Final = EXEMPT_NAMESPACES | {"default"}
"""Namespaces in which a NAD does not mean that their pods use it."""
_WIRE_KEYS: Final = ("master", "device", "bridge")
_VLAN_KEYS: Final = ("vlanId", "vlan")

Decides = Callable[[str, str], bool]
"""Reports whether an answer on the command line says a word of a network."""


class PlanFindings(Protocol):
    """Where findings are added."""

    faults: list[Finding]
    warnings: list[Finding]
    notes: list[Finding]


def compare_with_nads(
    networks: JsonObject, nads: Iterable[Nad], decides: Decides, to: PlanFindings
) -> JsonObject:
    """Return the networks with what only their NADs say; add differences to the findings."""
    read = [(nad, nad_facts(nad)) for nad in nads]
    known = [(nad, facts) for nad, facts in read if facts.is_known and not facts.fault]
    found: JsonObject = {}
    for name, words in networks.items():
        own = dict(words)
        mine = [(nad, facts) for nad, facts in known if _belongs(name, words, nad, facts)]
        for nad, facts in mine:
            _compare(name, own, nad, to, said=dict(_said(facts)), decides=decides)
            _lend(name, own, nad, facts, to)
        users = {nad.namespace: JOINED for nad, _ in mine if nad.namespace not in _HOME}
        if users and NAMESPACES not in words:
            own[NAMESPACES] = users
            to.notes.append(Finding(joined("networks", name), f"{NAMESPACES} of its NADs"))
        found[name] = own
    return found


def _belongs(name: str, words: Mapping[str, Any], nad: Nad, facts: NadFacts) -> bool:
    if any(nad.name == name + suffix for suffix in _SUFFIXES):
        return True
    return _canonical(words.get("cidr")) in [str(entry.subnet) for entry in facts.ranges]


def _canonical(value: Any) -> Any:
    """Return a CIDR as it is usually written; what is none as it is."""
    try:
        return str(parse_network(value)) if isinstance(value, str) else value
    except BadInput:
        return value


def _said(facts: NadFacts) -> Iterator[tuple[str, Any]]:
    """Yield words and values that a NAD says, as a plan would."""
    main = facts.main
    yield "cni", facts.type
    for keys, word in ((_WIRE_KEYS, "interface"), (_VLAN_KEYS, "vlan"), (("mode",), "mode")):
        value = next((main[key] for key in keys if main.get(key)), None)
        if isinstance(value, str | int):
            yield word, value
    subnets = {str(entry.subnet) for entry in facts.ranges}
    if len(subnets) == 1:
        yield "cidr", subnets.pop()


def _compare(
    name: str,
    words: JsonObject,
    nad: Nad,
    to: PlanFindings,
    *,
    said: Mapping[str, Any],
    decides: Decides,
) -> None:
    for word, value in said.items():
        planned = words.get(word)
        if planned is None or value in (planned, _canonical(planned)):
            continue
        path = joined(joined("networks", name), word)
        if decides(name, word):
            message = f"{str(planned)[:64]} is set, and NAD {nad.ref} says {str(value)[:64]}"
            to.warnings.append(Finding(path, message, "change the NAD, or delete it"))
            continue
        message = f"cannot use {str(planned)[:64]}: NAD {nad.ref} says {str(value)[:64]}"
        remedy = f"correct the one that is wrong, or decide with --set {name}.{word}=VALUE"
        to.faults.append(Finding(path, message, remedy))


def _lend(name: str, words: JsonObject, nad: Nad, facts: NadFacts, to: PlanFindings) -> None:
    """Add what the plan does not say; null and everything it says stay."""
    lent = {word: value for word, value in _said(facts) if word not in words}
    if words.get("cni", facts.type) != facts.type:
        lent.pop("mode", None)
    if "subnets" in words:
        lent.pop("cidr", None)
    else:
        cidr = _canonical(words.get("cidr", lent.get("cidr")))
        lent |= {word: value for word, value in _addresses(cidr, facts) if word not in words}
    words |= lent
    if lent:
        message = f"{', '.join(lent)} of NAD {nad.ref}"
        to.notes.append(Finding(joined("networks", name), message))


def _addresses(cidr: Any, facts: NadFacts) -> Iterator[tuple[str, Any]]:
    """Yield ranges and gateway that the NAD writes; defaults of host-local are no facts."""
    ipam = facts.ipam
    if len(facts.ranges) != 1 or str(facts.ranges[0].subnet) != cidr:
        return
    (entry,) = facts.ranges
    if ipam.get("rangeStart") or ipam.get("rangeEnd"):
        yield "ranges", [str(entry.span)]
    if ipam.get("gateway") and entry.gateway is not None:
        yield "gateway", str(entry.gateway)
