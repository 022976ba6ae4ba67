"""The ADD of one attachment as steps, native plugins and binaries alike; the engine runs them.

Invariant: a plugin that is done is reversed by its DEL, one that is not done by the undo of its own
steps. No plugin but the first of a chain runs before the attachments before it are finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_interface

from cni.attaching.held_addresses import check_result
from cni.native.plugin import SteppedPlugin
from cni.native.probing import after_execution
from cni.native.steps import Awaited, InTurn, Steps
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import BoundPlugin, Chains
from cni.plugins.plugin import Call
from cni.plugins.probe import Probe
from planes.model.errors import CniCode, Conflict, Internal
from planes.model.wire.result import Result


class AttachmentSteps:
    """Makes the steps of attachments."""

    def __init__(self, chains: Chains, probe: Probe) -> None:
        self._chains = chains
        self._probe = probe

    def add(
        self,
        call: Call,
        attachment: PlannedAttachment,
        begun: set[str],
        bound_plugins: Sequence[BoundPlugin] = (),
    ) -> Steps[Result]:
        """Return the steps of an ADD; they result in the last plugin's result.

        Args:
            call: the ADD, with what was claimed for it.
            attachment: the attachment.
            begun: gets the interface, once the first plugin may have run.
            bound_plugins: its plugins without a previous result, of which the first is used; ()
                where they could not be bound.

        Raises:
            PlanesError: a plugin failed; the caller detaches what ran before it.
        """
        begun.add(attachment.ifname)
        made_mac = call.arg("MAC")
        self._probe.reached(f"next:{attachment.ifname}")
        result: Result | None = None
        for position in range(len(attachment.conflist.plugins)):
            if position:
                yield from InTurn()
                # A MAC that the plane made is set: tuning would set it again, and take routes away.
                call = replace(call, cni_args=attachment.cni_args)
            if bound_plugins and not position:
                bound = bound_plugins[0]
            else:
                bound = self._chains.bind_one(attachment, position, result)
            if isinstance(bound.native, SteppedPlugin):
                result = yield from bound.native.adding(call, bound.conf)
            elif bound.native is not None:
                result = yield from Awaited(partial(bound.native.add, call, bound.conf))
            else:
                result = yield from Awaited(partial(self._chains.execute_add, call, bound.conf))
                yield from after_execution(call, bound.conf, result)
            self._probe.reached(f"ran:{attachment.ifname}:{bound.conf.type}")
        if result is None:
            raise Internal("cannot run its plugins: the list of them is empty")
        _verify(attachment, result)
        _verify_mac(made_mac, attachment, result)
        check_result(attachment, result)
        return result


def is_independent(plugins: Sequence[BoundPlugin]) -> bool:
    """Report whether an ADD may begin while those before it wait for their addresses."""
    if not plugins or any(one.conf.fields().raw("linkInContainer") for one in plugins):
        return False
    native = plugins[0].native
    return isinstance(native, SteppedPlugin) and native.is_independent


def _verify(attachment: PlannedAttachment, result: Result) -> None:
    """Refuse a result of a plane's attachment that lacks an address which policy decided.

    Outside planes a plugin may ignore `ips`, as under Multus.

    Raises:
        Conflict: the result lacks one.
    """
    if not attachment.plane or not attachment.ips:
        return
    given = {ip_interface(ip.address).ip for ip in result.ips}
    missing = [ip for ip in attachment.ips if ip_interface(ip).ip not in given]
    if missing:
        got = ", ".join(ip.address for ip in result.ips)
        raise Conflict(
            f"cannot keep to the decision: its plugin gave {got or 'no address'} instead of "
            f"{', '.join(missing)}",
            remedy="use an IPAM that honours requested addresses, e.g. ipam.mode Plane",
            code=CniCode.CONFLICT,
        )


def _verify_mac(wanted: str, attachment: PlannedAttachment, result: Result) -> None:
    """Refuse a result without the MAC that the plane made from the address.

    Raises:
        Conflict: a binary chose another one.
    """
    if not attachment.plane or not wanted or dict(attachment.cni_args).get("MAC"):
        return
    given = [link.mac for link in result.interfaces if link.sandbox and link.mac]
    if given and wanted not in given:
        raise Conflict(
            f"cannot keep to the plane: its plugin gave MAC {', '.join(given)} instead of {wanted}",
            remedy="use mac.source Random, or have the type carried out natively",
            code=CniCode.CONFLICT,
        )
