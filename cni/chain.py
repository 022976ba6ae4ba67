"""Running one attachment's conflist, natively or by exec, with libcni's semantics.

Invariant: every plugin gets the list's name and cniVersion, the previous result and the
capability arguments it declares; ADD and CHECK go forward, and whoever carries out a type is
decided by the netconf alone, so that DEL finds the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from cni.attachment import PlannedAttachment
from cni.delegate import ExecPlugin, require
from cni.plugin import Call, NativePlugin, NativePlugins
from cni.probe import Probe
from cni.programs import Programs
from cni.system import Exec
from planes.model.errors import Internal, JsonObject, PlanesError
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

PLANE_IPAM: Final = "plane"
_ADDRESS_ARGS: Final = frozenset({"IP", "GATEWAY"})


class Ipam(Protocol):
    """Addresses, for the exec'd plugins that get theirs from a plane."""

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Take addresses."""
        ...

    async def release(self, call: Call, conf: NetConf) -> None:
        """Give them back; twice is fine."""
        ...


class Plugins:
    """Who carries out a netconf: ourselves where we can, else the binary.

    Args:
        native: the types we carry out.
        system: finds and runs binaries.
        deadline: seconds a binary may take.
        programs: says when a binary may run; None where nobody has to wait.
    """

    def __init__(
        self,
        native: NativePlugins,
        system: Exec,
        deadline: float,
        programs: Programs | None = None,
    ) -> None:
        self._native = native
        self._system = system
        self._deadline = deadline
        self._programs = programs

    def native(self, conf: NetConf) -> NativePlugin | None:
        """Give the native type for a netconf; None where a binary must do it."""
        plugin = self._native.get(conf.type)
        return plugin if plugin is not None and not plugin.unsupported(conf) else None

    def binary(self, conf: NetConf) -> ExecPlugin:
        """Give the binary of a netconf's type; it is looked up when it is called."""
        return ExecPlugin(self._system, conf.type, self._deadline, self._programs)

    def require(self, kind: str, cni_path: tuple[str, ...]) -> str:
        """Give the path of a binary.

        Raises:
            NotFound: there is none.
        """
        return require(self._system, kind, cni_path)


@dataclass(frozen=True, slots=True)
class Link:
    """One plugin of a chain, bound to its netconf."""

    conf: NetConf
    native: NativePlugin | None
    position: int


class Chains:
    """Carries out ADD and CHECK of attachments; `detach` does DEL with the same links."""

    def __init__(self, plugins: Plugins, ipam: Ipam, probe: Probe) -> None:
        self._plugins = plugins
        self._ipam = ipam
        self._probe = probe

    def link(self, attachment: PlannedAttachment, position: int, prev: Result | None) -> Link:
        """Bind the plugin at a position to its netconf."""
        conf = netconf(attachment, position, prev)
        return Link(conf, self._plugins.native(conf), position)

    def links(self, attachment: PlannedAttachment) -> tuple[Link, ...]:
        """Bind all plugins to the final result, as DEL and CHECK want it (from 0.4.0 on)."""
        prev = attachment.result if at_least(attachment.conflist.cni_version, "0.4.0") else None
        count = len(attachment.conflist.plugins)
        return tuple(self.link(attachment, position, prev) for position in range(count))

    async def add(self, call: Call, attachment: PlannedAttachment) -> Result:
        """Run the chain; the last plugin's result.

        Raises:
            PlanesError: a plugin failed; what ran before it is the caller's to undo.
        """
        result: Result | None = None
        for position in range(len(attachment.conflist.plugins)):
            link = self.link(attachment, position, result)
            result = await self._add(call, link)
            self._probe.reached(f"ran:{attachment.ifname}:{link.conf.type}")
        if result is None:
            raise Internal(f"cannot attach {attachment.network}: its plugin list is empty")
        return result

    async def _add(self, call: Call, link: Link) -> Result:
        if link.native is not None:
            return await link.native.add(call, link.conf)
        binary = self._plugins.binary(link.conf)
        if link.conf.ipam_type != PLANE_IPAM:
            return await binary.add(call, link.conf)
        given = await self._ipam.add(call, link.conf)
        return await binary.add(_executed(call, link.conf), static(link.conf, given))

    async def check(self, call: Call, attachment: PlannedAttachment) -> None:
        """Run CHECK of every plugin; nothing where the list forbids it or is too old for it.

        Raises:
            PlanesError: the first difference a plugin reports.
        """
        conflist = attachment.conflist
        if conflist.disable_check or not at_least(conflist.cni_version, "0.4.0"):
            return
        for link in self.links(attachment):
            if link.native is not None:
                await link.native.check(call, link.conf)
            else:
                binary = self._plugins.binary(link.conf)
                conf = self.executable(link.conf, attachment.result)
                await binary.check(_executed(call, link.conf), conf)

    async def status(self, call: Call, attachment: PlannedAttachment) -> None:
        """Run STATUS of every plugin (from 1.1.0 on); for older lists only find the plugins.

        Raises:
            PlanesError: the first plugin that is missing or not ready.
        """
        for link in self.links(attachment):
            if link.native is None:
                self._plugins.require(link.conf.type, call.cni_path)
            plugin = link.native or self._plugins.binary(link.conf)
            if at_least(attachment.conflist.cni_version, "1.1.0"):
                await plugin.status(call, link.conf)

    async def delete(self, call: Call, link: Link, result: Result | None) -> None:
        """Run DEL of one executed plugin, and give a plane's addresses back after it."""
        binary = self._plugins.binary(link.conf)
        await binary.delete(_executed(call, link.conf), self.executable(link.conf, result))
        if link.conf.ipam_type == PLANE_IPAM:
            await self._ipam.release(call, link.conf)

    async def collect(
        self, call: Call, attachment: PlannedAttachment, valid: list[JsonObject]
    ) -> list[PlanesError]:
        """Run GC of every executed plugin (from 1.1.0 on); the errors, which stop nothing."""
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
                if self._plugins.native(netconf(attachment, position, None)) is None:
                    await self._plugins.binary(conf).collect(call, conf)
            except PlanesError as error:
                errors.append(error)
        return errors

    @staticmethod
    def executable(conf: NetConf, result: Result | None) -> NetConf:
        """Give the netconf a binary understands: ours for plane IPAM becomes static."""
        if conf.ipam_type != PLANE_IPAM:
            return conf
        return static(conf, result if result is not None else Result())


def netconf(attachment: PlannedAttachment, position: int, prev: Result | None) -> NetConf:
    """Give what one plugin reads on stdin (libcni's injection, plus args.cni)."""
    conflist = attachment.conflist
    plugin = conflist.plugins[position]
    extra: dict[str, Any] = {}
    if attachment.args:
        args = plugin.fields().object("args") or {}
        extra["args"] = {**args, "cni": {**plugin.args_cni, **attachment.args}}
    return plugin.for_plugin(
        name=conflist.name,
        cni_version=conflist.cni_version,
        prev_result=prev,
        capability_args=attachment.capability_args,
        extra=extra,
    )


def _executed(call: Call, conf: NetConf) -> Call:
    """Give the call that goes with `executable`.

    The static IPAM would add CNI_ARGS IP to the addresses of a plane, and take GATEWAY for theirs.
    """
    if conf.ipam_type != PLANE_IPAM:
        return call
    kept = tuple(pair for pair in call.cni_args if pair[0] not in _ADDRESS_ARGS)
    return replace(call, cni_args=kept)


def static(conf: NetConf, given: Result) -> NetConf:
    """Replace plane IPAM by the static one, which every executed plugin can run.

    It has the plane's addresses and no others: `ips` of `runtimeConfig` and of `args.cni`, which
    the static IPAM prefers, are left out.
    """
    addresses = [
        {"address": ip.address, **({"gateway": ip.gateway} if ip.gateway else {})}
        for ip in given.ips
    ]
    routes = [{"dst": r.dst, **({"gw": r.gw} if r.gw else {})} for r in given.routes]
    ipam: JsonObject = {"type": "static", "addresses": addresses, "routes": routes}
    if given.dns.nameservers or given.dns.domain or given.dns.search or given.dns.options:
        ipam["dns"] = {
            "nameservers": list(given.dns.nameservers),
            "domain": given.dns.domain,
            "search": list(given.dns.search),
            "options": list(given.dns.options),
        }
    raw = {**conf.raw, "ipam": ipam}
    _leave_out(raw, ("runtimeConfig",), "ips")
    _leave_out(raw, ("args", "cni"), "ips")
    return NetConf(raw)


def _leave_out(obj: JsonObject, path: Sequence[str], key: str) -> None:
    """Remove a member of an object inside `obj`, in any spelling that Go takes for it.

    Objects on the way are copied, so that whoever else has them sees no change.
    """
    for name in [name for name in obj if name.casefold() == (path[0] if path else key).casefold()]:
        if not path:
            del obj[name]
        elif isinstance(obj[name], dict):
            obj[name] = dict(obj[name])
            _leave_out(obj[name], path[1:], key)
