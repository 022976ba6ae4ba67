"""What types share that stand behind another plugin of the chain and make no interface."""

from __future__ import annotations

from cni.native.plugin import LinkType
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, CniCode
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


class ChainedType(LinkType):
    """Defaults of a type that makes no interface in the sandbox."""

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return no interface."""
        return ()


def chained_result(conf: NetConf) -> Result:
    """Return the prevResult, which ADD of a chained type needs.

    Raises:
        BadInput: there is none (code 999, as from the reference plugins), or it is no result.
    """
    previous = conf.prev_result()
    if previous is None:
        raise BadInput(
            f"cannot run {conf.type}: required prevResult missing, it must be called as chained"
            " plugin",
            remedy="put it behind the plugin that makes the interface",
            code=CniCode.INTERNAL,
        )
    return previous
