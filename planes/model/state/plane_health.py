"""Health of planes: reports of nodes about attaching to planes, and the condition Available.

A node's daemon reports its own attempts, and how it uses its blocks, in an annotation of its own
pod; base/policies/nodes.yaml allows no other. The report begins with the node's name, which that
policy compares. A compromised node may report anything about itself: sizes are checked here again,
times in the future are ignored, and a report counts for its own node alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.decode import loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, JsonObject
from planes.model.lines import first_few, one_line
from planes.model.names import is_dns_label
from planes.model.state.node_use import NodeUse, read_use, use_to_json

MOST_PLANES: Final = 32
MOST_CHARACTERS: Final = 8192
"""Of a report; base/policies/nodes.yaml has the same number."""
REASON_CHARACTERS: Final = 160
FAILING: Final = 3
"""Failures in a row after which a node counts as failing; a single one may be of a deleted pod."""
FRESH_SECONDS: Final = 900
"""Reports older than this do not count; kubelets try again every few seconds."""
_SKEW_SECONDS: Final = 300
_MOST_FAILURES: Final = 10**9
_NAMED: Final = 4
_NODE_CHARACTERS: Final = 253


@dataclass(frozen=True, slots=True)
class Health:
    """The attempts to attach to one plane on one node.

    Attributes:
        failures: failed attempts since the last successful one.
        failed_at: when the last one failed, in Unix seconds; 0: none did.
        attached_at: when a pod was attached last, in Unix seconds; 0: none was.
        reason: of the last failure, one line.
    """

    failures: int = 0
    failed_at: int = 0
    attached_at: int = 0
    reason: str = ""

    @property
    def is_failing(self) -> bool:
        """Whether its last attempts failed, `FAILING` at least."""
        return self.failures >= FAILING

    @property
    def last(self) -> int:
        """When the last attempt was made, in Unix seconds."""
        return max(self.failed_at, self.attached_at)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The report of one node.

    Attributes:
        node: its name.
        planes: its attempts to attach to each plane.
        use: how it uses its blocks of each plane; None where it does not report that.
        unready: why pods may start there without their planes, or not at all, e.g. as another CNI
            config comes before ours; one line, "" where nothing is wrong.
    """

    node: str
    planes: Mapping[str, Health] = field(default_factory=dict)
    use: Mapping[str, NodeUse] | None = None
    unready: str = ""


def reason_of(text: str) -> str:
    """Return a text as one line of at most `REASON_CHARACTERS` printable characters."""
    return one_line(text, REASON_CHARACTERS)


def encode_report(
    node: str,
    planes: Mapping[str, Health],
    use: Mapping[str, NodeUse] | None = None,
    *,
    unready: str = "",
) -> str:
    """Return the annotation: failing planes first, then the most recent ones, as many as fit."""
    order = sorted(planes, key=lambda name: (not planes[name].is_failing, -planes[name].last, name))
    told = {name: _to_json(planes[name]) for name in order[:MOST_PLANES]}
    more: JsonObject = {} if use is None else {"addresses": use_to_json(use)}
    if unready:
        more["unready"] = reason_of(unready)
    while True:
        report = {"node": node, **more, "planes": told}
        text = dumps(report, "report", sort_keys=False).decode()
        if len(text) <= MOST_CHARACTERS or not told:
            return text
        told.popitem()


def read_report(text: str) -> HealthReport | None:
    """Read a report; None where it is not one, and without entries that are not valid.

    The node must be the one that the text begins with, as the policy compares it: a JSON parser
    takes the last one of a repeated member.
    """
    if len(text) > MOST_CHARACTERS:
        return None
    try:
        obj = loads_object(text, "report")
    except BadInput:
        return None
    node, planes = obj.get("node"), obj.get("planes")
    if not isinstance(node, str) or not 0 < len(node) <= _NODE_CHARACTERS:
        return None
    if not text.startswith(f'{{"node":"{node}",'):
        return None
    if not isinstance(planes, dict) or len(planes) > MOST_PLANES:
        return None
    found = {name: _health(value) for name, value in planes.items() if is_dns_label(name)}
    return HealthReport(
        node,
        {name: one for name, one in found.items() if one is not None},
        read_use(obj.get("addresses")),
        reason_of(unready) if isinstance(unready := obj.get("unready"), str) else "",
    )


def availability(nodes: Mapping[str, Health], now: float) -> tuple[bool | None, str, str]:
    """Return status, reason and message of the condition Available of a plane.

    It is False only where attaching fails on every node with recent attempts: a single node may be
    broken or compromised.

    Args:
        nodes: the report of each node about the plane.
        now: Unix seconds; reports of a later time, beyond the skew of clocks, are ignored.
    """
    known = {name: one for name, one in nodes.items() if one.last <= now + _SKEW_SECONDS}
    fresh = {name: one for name, one in known.items() if one.last >= now - FRESH_SECONDS}
    failing = {name: one for name, one in fresh.items() if one.is_failing}
    working = [one for one in fresh.values() if one.attached_at and not one.is_failing]
    if not failing:
        if any(one.attached_at for one in known.values()):
            return True, "Attached", "pods that are started get this plane"
        return None, "NotTried", "no node has reported an attempt lately"
    text = _told(failing)
    if not working:
        return False, "AttachingFails", f"no pod that was started lately got this plane: {text}"
    return True, "SomeNodesFail", f"pods got this plane lately on {_nodes(len(working))}; {text}"


def _told(failing: Mapping[str, Health]) -> str:
    names = sorted(failing)
    attempts = sum(one.failures for one in failing.values())
    latest = max(names, key=lambda name: failing[name].failed_at)
    return (
        f"the last {attempts} attempts on {_nodes(len(names))} failed "
        f"({first_few(names, _NAMED)}); latest on {latest}: {failing[latest].reason}"
    )


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _to_json(health: Health) -> dict[str, int | str]:
    found: dict[str, int | str] = {
        "failures": health.failures,
        "failedAt": health.failed_at,
        "attachedAt": health.attached_at,
        "reason": health.reason,
    }
    return {key: value for key, value in found.items() if value}


def _health(value: Any) -> Health | None:
    if not isinstance(value, dict):
        return None
    reason = value.get("reason", "")
    return Health(
        min(_number(value, "failures"), _MOST_FAILURES),
        _number(value, "failedAt"),
        _number(value, "attachedAt"),
        reason_of(reason) if isinstance(reason, str) else "",
    )


def _number(value: Mapping[str, Any], key: str) -> int:
    found = value.get(key, 0)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0
