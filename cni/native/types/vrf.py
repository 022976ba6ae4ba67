"""Type `vrf`: the interface of the plugin before it joins a VRF of the sandbox.

The VRF is made for the first interface and removed with the last one. Keys, result and kernel state
are the reference plugin's. Beyond it DEL accepts an interface that is gone, and ADD waits for IPv6
addresses, whose duplicate address detection begins anew.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from cni.native.checks import previous_result
from cni.native.interface import require_netns
from cni.native.link_steps import ReadSandbox
from cni.native.plugin import LinkType
from cni.native.steps import KernelStep, Settle, StepContext, Steps
from cni.net import configure
from cni.net.errors import MissingNetns, TooManyListed
from cni.net.vrfs import VRF_KIND, Joined, join_vrf, leave_vrf
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound
from planes.model.wire.link_values import require_link_name, require_number
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


@dataclass(frozen=True, slots=True)
class _JoinVrf(KernelStep[tuple[Joined, bool]]):
    """Add an interface to a VRF.

    Results in the interface, and whether to wait for its IPv6 addresses.
    """

    ifname: str
    name: str
    table: int

    def do(self, context: StepContext) -> tuple[Joined, bool]:
        """See `cni.net.vrfs.join_vrf`."""
        sandbox = context.sandbox
        joined = join_vrf(sandbox.channel, self.ifname, self.name, self.table)
        must_wait = joined.has_ipv6 and joined.link.is_up
        return joined, must_wait

    def undo(self, context: StepContext, done: tuple[Joined, bool]) -> None:
        """Take the interface out again."""
        leave_vrf(context.sandbox.channel, self.ifname, self.name)


@dataclass(frozen=True, slots=True)
class _MoveRoutes(KernelStep[None]):
    """Add the routes that an interface had to the table of its VRF.

    Attributes:
        is_late: the wait for its addresses was given up.
    """

    joined: Joined
    is_late: bool

    def do(self, context: StepContext) -> None:
        """Add them; they go with the interface or the VRF."""
        if self.is_late:
            configure.give_up_settling(context.sandbox, self.joined.link, context.settle_seconds)
        context.sandbox.channel.batch(self.joined.routes)


@dataclass(frozen=True, slots=True)
class _LeaveVrf(KernelStep[None]):
    """Take an interface out of a VRF, which is removed where it was the last one."""

    ifname: str
    name: str

    def do(self, context: StepContext) -> None:
        """See `cni.net.vrfs.leave_vrf`; a sandbox that is gone took both with it.

        In one with links beyond all bounds they stay until it is gone.
        """
        with suppress(MissingNetns, TooManyListed):
            leave_vrf(context.sandbox.channel, self.ifname, self.name)


@dataclass(frozen=True, slots=True)
class _VrfSettings:
    name: str
    table: int


def _settings(conf: NetConf) -> _VrfSettings:
    fields = conf.fields()
    name = fields.string("vrfname")
    if not name:
        raise BadInput(
            'cannot choose a VRF: "vrfname" is missing',
            remedy="name the VRF that the interface is to join",
        )
    return _VrfSettings(
        name=require_link_name("vrfname", name),
        table=require_number("table", fields.integer("table")),
    )


class Vrf(LinkType):
    """Plugin type `vrf`."""

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Have the interface join the VRF; the result is the previous plugin's.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        settings = _settings(conf)
        previous = conf.prev_result()
        if previous is None:
            raise BadInput(
                f"cannot add {call.ifname} to a VRF: missing prevResult from earlier plugin",
                remedy="put vrf behind a plugin that makes the interface",
            )
        joined, must_wait = yield from _JoinVrf(call.ifname, settings.name, settings.table)
        is_late = must_wait and (yield from Settle(joined.link))
        yield from _MoveRoutes(joined, is_late)
        return previous

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Check that the interface is in the VRF.

        Raises:
            PlanesError: it is not.
        """
        require_netns(call)
        settings = _settings(conf)
        previous_result(conf)
        facts = yield from ReadSandbox()
        vrf, link = facts.link(settings.name), facts.link(call.ifname)
        if vrf is None or vrf.kind != VRF_KIND:
            raise NotFound(f"cannot find VRF {settings.name} in the sandbox")
        if link is None or link.master != vrf.index:
            raise Conflict(f"cannot confirm {call.ifname}: it is not in VRF {settings.name}")

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return none: the interface is removed by the plugin that made it."""
        return ()

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return True: the VRF."""
        return True

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Take the interface out of the VRF; a netconf that ADD refuses has left none.

        Raises:
            PlanesError: the kernel refuses.
        """
        try:
            settings = _settings(conf)
        except BadInput:
            return
        yield from _LeaveVrf(call.ifname, settings.name)
