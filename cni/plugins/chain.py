"""The conflist of one attachment, native or by exec, with libcni's semantics.

Invariant: every plugin gets the list's name and cniVersion, the previous result and the
capability arguments it declares. Plugins run in order at ADD and CHECK. Netconf and settings decide
between native and exec, for `firewall` also whether firewalld is there: DEL may run the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from cni.host.exec import Exec
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.exec_plugin import ExecPlugin, require
from cni.plugins.plugin import Call, NativePlugin, NativePlugins
from cni.plugins.plugin_turns import PluginTurns
from cni.plugins.static_ipam import executable_call, executable_conf, static_conf
from planes.model.errors import JsonObject, PlanesError
from planes.model.state.supplies import PLANE_IPAM
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


class PluginIpam(Protocol):
    """Plane IPAM, for binaries that get their addresses from a plane."""

    async def claim(self, call: Call, conf: NetConf) -> Call:
        """Claim addresses of a plane before any plugin runs; return the call with them."""
        ...

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Return addresses, claimed before or now."""
        ...

    async def release(self, call: Call, conf: NetConf) -> None:
        """Release the addresses; may be repeated."""
        ...

    async def prepare_execution(self, conf: NetConf) -> None:
        """Record what a power cut may leave of a binary's addresses."""
        ...


class Plugins:
    """Chooses the plugin for a netconf: a native one where possible, else the binary.

    Args:
        native: the native types.
        system: finds and runs binaries.
        deadline: seconds a binary may take.
        turns: limits the binaries that run at once; None for no limit.
    """

    def __init__(
        self,
        native: NativePlugins,
        system: Exec,
        deadline: float,
        turns: PluginTurns | None = None,
    ) -> None:
        self._native = native
        self._system = system
        self._deadline = deadline
        self._turns = turns

    def native(self, conf: NetConf) -> NativePlugin | None:
        """Return the native plugin for a netconf; None where it needs the binary."""
        plugin = self._native.get(conf.type)
        return plugin if plugin is not None and not plugin.unsupported(conf) else None

    def binary(self, conf: NetConf) -> ExecPlugin:
        """Return the binary for a netconf; it is looked up at each call."""
        return ExecPlugin(self._system, conf.type, self._deadline, self._turns)

    def require(self, kind: str, cni_path: tuple[str, ...]) -> str:
        """Return the path of a binary.

        Raises:
            NotFound: there is none in the directories.
        """
        return require(self._system, kind, cni_path)


@dataclass(frozen=True, slots=True)
class BoundPlugin:
    """One plugin of a chain with its netconf; `native` is None for a binary."""

    conf: NetConf
    native: NativePlugin | None
    position: int


BoundChains = Mapping[str, tuple[BoundPlugin, ...]]
"""The plugins of each attachment as its ADD begins, by interface."""


class Chains:
    """Binds the plugins of attachments; ADD and DEL run them in `cni.attaching`."""

    def __init__(self, plugins: Plugins, ipam: PluginIpam) -> None:
        self._plugins = plugins
        self._ipam = ipam

    def bind_one(
        self, attachment: PlannedAttachment, position: int, prev: Result | None
    ) -> BoundPlugin:
        """Return one plugin of a chain with the previous result.

        Raises:
            PlanesError: its netconf cannot be built.
        """
        conf = attachment.netconf(position, prev)
        return BoundPlugin(conf, self._plugins.native(conf), position)

    def bind_for_add(self, attachments: Iterable[PlannedAttachment]) -> BoundChains:
        """Return all plugins without a previous result, once for all that an ADD asks of them.

        An attachment whose netconfs cannot be built is left out: its steps raise the error.
        """
        bound: dict[str, tuple[BoundPlugin, ...]] = {}
        for one in attachments:
            with suppress(PlanesError):
                count = len(one.conflist.plugins)
                bound[one.ifname] = tuple([self.bind_one(one, at, None) for at in range(count)])
        return bound

    def bind(self, attachment: PlannedAttachment) -> tuple[BoundPlugin, ...]:
        """Return all plugins with the final result as prevResult, for DEL and CHECK (since 0.4.0).

        Raises:
            PlanesError: a netconf cannot be built.
        """
        prev = attachment.result if at_least(attachment.conflist.cni_version, "0.4.0") else None
        count = len(attachment.conflist.plugins)
        return tuple([self.bind_one(attachment, position, prev) for position in range(count)])

    async def claim(self, call: Call, attachment: PlannedAttachment) -> Call:
        """Claim the plane addresses of an attachment; return the call for `add` with them.

        Raises:
            PlanesError: none is available; nothing is claimed then.
        """
        for position in plane_plugins(attachment):
            return await self._ipam.claim(call, attachment.netconf(position))
        return call

    async def release(self, call: Call, attachment: PlannedAttachment) -> None:
        """Release what `claim` claimed; may be repeated.

        Raises:
            PlanesError: it could not be released.
        """
        for position in plane_plugins(attachment):
            await self._ipam.release(call, attachment.netconf(position))

    async def execute_add(self, call: Call, conf: NetConf) -> Result:
        """Run ADD of one binary, with the addresses of its plane.

        Raises:
            PlanesError: it failed; the caller detaches what it may have left.
        """
        binary = self._plugins.binary(conf)
        if conf.ipam_type != PLANE_IPAM:
            await self._ipam.prepare_execution(conf)
            return await binary.add(call, conf)
        given = await self._ipam.add(call, conf)
        return await binary.add(executable_call(call, conf), static_conf(conf, given))

    async def check(self, call: Call, attachment: PlannedAttachment) -> None:
        """Run CHECK of every plugin, unless the list has `disableCheck` or is before 0.4.0.

        Raises:
            PlanesError: the first difference that a plugin reports.
        """
        conflist = attachment.conflist
        if conflist.disable_check or not at_least(conflist.cni_version, "0.4.0"):
            return
        for bound in self.bind(attachment):
            if bound.native is not None:
                await bound.native.check(call, bound.conf)
            else:
                binary = self._plugins.binary(bound.conf)
                conf = executable_conf(bound.conf, attachment.result)
                await binary.check(executable_call(call, bound.conf), conf)

    async def status(self, call: Call, attachment: PlannedAttachment) -> None:
        """Run STATUS of every plugin (since 1.1.0); for older lists only look for the binaries.

        Raises:
            PlanesError: the first plugin that is missing or not ready.
        """
        for bound in self.bind(attachment):
            if bound.native is None:
                self._plugins.require(bound.conf.type, call.cni_path)
            plugin = bound.native or self._plugins.binary(bound.conf)
            if at_least(attachment.conflist.cni_version, "1.1.0"):
                await plugin.status(call, bound.conf)

    async def delete(self, call: Call, bound: BoundPlugin, result: Result | None) -> None:
        """Run DEL of one binary, then release the addresses of its plane."""
        binary = self._plugins.binary(bound.conf)
        await binary.delete(executable_call(call, bound.conf), executable_conf(bound.conf, result))
        if bound.conf.ipam_type == PLANE_IPAM:
            await self._ipam.release(call, bound.conf)

    async def collect(
        self, call: Call, attachment: PlannedAttachment, valid: list[JsonObject]
    ) -> list[PlanesError]:
        """Run GC of every binary (since 1.1.0); return the errors, which stop no other plugin."""
        errors: list[PlanesError] = []
        conflist = attachment.conflist
        if conflist.disable_gc or not at_least(conflist.cni_version, "1.1.0"):
            return errors
        # libcni sends both keys: the second is an old name that plugins may still read.
        extra = {"cni.dev/valid-attachments": valid, "cni.dev/attachments": valid}
        for position, plugin in enumerate(conflist.plugins):
            conf = plugin.for_plugin(
                name=conflist.name,
                cni_version=conflist.cni_version,
                prev_result=None,
                capability_args={},
                extra=extra,
            )
            try:
                if self._plugins.native(attachment.netconf(position)) is None:
                    await self._plugins.binary(conf).collect(call, conf)
            except PlanesError as error:
                errors.append(error)
        return errors


def plane_plugins(attachment: PlannedAttachment) -> tuple[int, ...]:
    """Return the positions of plugins with plane IPAM, mostly one or none.

    Raises:
        BadInput: the `ipam` of a plugin is malformed.
    """
    plugins = attachment.conflist.plugins
    return tuple(at for at, plugin in enumerate(plugins) if plugin.ipam_type == PLANE_IPAM)
