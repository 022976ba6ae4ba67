"""Types `portmap` and `bandwidth` with nothing to do: the previous result passes through.

That is the common case, and a plugin executed for nothing is the most expensive part of an ADD.
Whatever has work, or could be refused, goes to the binary: port mappings, rates, settings of wrong
type.
"""

from __future__ import annotations

from collections.abc import Callable

from cni.native import checks
from cni.plugin import Call
from planes.model.decode import Fields
from planes.model.errors import BadInput, CniCode, Internal
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_RATES = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
_LAST_MARK_BIT = 31


class Passing:
    """One such type.

    Args:
        work: names what a netconf has to do, "" for nothing.
    """

    def __init__(self, work: Callable[[NetConf], str]) -> None:
        self._work = work

    def unsupported(self, conf: NetConf) -> str:
        """Why this netconf must go to the binary; "" where there is nothing to do."""
        try:
            return self._work(conf)
        except BadInput:
            return "settings that only the binary may refuse"

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """The sandbox interfaces to remove: none."""
        return ()

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Give the previous result.

        Raises:
            Internal: there is none, as the reference says it.
            BadInput: it is no result.
        """
        previous = conf.prev_result()
        if previous is None:
            raise Internal(
                f"cannot run {conf.type}: must be called as chained plugin",
                remedy="put it behind the plugin that makes the interface",
            )
        return previous

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where there is no previous result.

        Raises:
            BadInput: there is none.
        """
        checks.previous_result(conf)

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Do nothing."""

    async def release(self, call: Call, conf: NetConf) -> None:
        """Do nothing."""

    def local_release(self, call: Call, conf: NetConf) -> None:
        """Give no blocking step: `release` never waits."""

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail: never."""


def portmap_work(conf: NetConf) -> str:
    """Name what a portmap netconf has to do.

    Raises:
        BadInput: a setting the reference refuses.
    """
    fields = conf.fields()
    runtime = fields.child("runtimeConfig")
    if runtime is not None and runtime.objects("portMappings"):
        return "port mappings"
    fields.boolean("snat")
    fields.boolean("masqAll")
    fields.string("backend")
    fields.strings("conditionsV4")
    fields.strings("conditionsV6")
    is_external = bool(fields.string("externalSetMarkChain"))
    bit = fields.optional_integer("markMasqBit")
    if bit is not None and (is_external or not 0 <= bit <= _LAST_MARK_BIT):
        raise BadInput("cannot use markMasqBit", code=CniCode.INTERNAL)
    return ""


def bandwidth_work(conf: NetConf) -> str:
    """Name what a bandwidth netconf has to do.

    Raises:
        BadInput: a rate that is no integer.
    """
    fields = conf.fields()
    if not at_least(conf.cni_version, "0.3.0"):
        return "a CNI version that the reference refuses"
    runtime = fields.child("runtimeConfig")
    given = runtime.child("bandwidth") if runtime is not None else None
    return "rates" if _has_rate(fields) or (given is not None and _has_rate(given)) else ""


def _has_rate(fields: Fields) -> bool:
    rates = [fields.integer(key) for key in _RATES]
    return any(rates)
