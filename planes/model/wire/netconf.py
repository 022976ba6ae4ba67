"""Network configurations: one plugin's (`NetConf`), and the list of a network (`ConfList`).

Unknown members are passed on unchanged, numbers of any size included; the same content gives the
same bytes. The members that libcni injects before it runs a plugin are injected here (spec 1.1.0
§3, libcni conf.go and api.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.names import check_network_name, shown
from planes.model.wire.cniversion import CURRENT, at_least, check_supported, negotiate
from planes.model.wire.result import Result, parse_result, result_version, same_form

_WHAT: Final = "the network configuration"
_REMEDY: Final = "correct the network's configuration: spec.config of a NAD, or the node's file"


@dataclass(frozen=True)
class NetConf:
    """One plugin's configuration; the raw object is never changed.

    Cached properties hold what many steps of an ADD ask for. A member of a wrong type raises
    `BadInput` each time that it is asked for, never before.
    """

    raw: JsonObject
    _prev: Result | None = field(default=None, repr=False, compare=False)
    _fields: Fields = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_fields", Fields(self.raw, _WHAT, remedy=_REMEDY))

    def fields(self) -> Fields:
        """Return typed access to the members; errors name the path in the configuration."""
        return self._fields

    @cached_property
    def type(self) -> str:
        """The plugin's file name."""
        return self._fields.string("type")

    @property
    def name(self) -> str:
        """The network's name, "" before it is injected."""
        return self._fields.string("name")

    @property
    def cni_version(self) -> str:
        """The version as written, "" where absent."""
        return self._fields.string("cniVersion")

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """The capabilities declared true."""
        declared = self._fields.child("capabilities")
        if declared is None:
            return frozenset()
        return frozenset(key for key in declared.names() if declared.boolean(key))

    @property
    def ipam(self) -> JsonObject:
        """The IPAM configuration, empty where absent."""
        return self._fields.object("ipam") or {}

    @cached_property
    def ipam_type(self) -> str:
        """The IPAM plugin's file name, "" for a network without addresses."""
        ipam = self._fields.child("ipam")
        return "" if ipam is None else ipam.string("type")

    @property
    def runtime_config(self) -> JsonObject:
        """The capability arguments that the runtime passes, empty where absent."""
        return self._fields.object("runtimeConfig") or {}

    @cached_property
    def args_cni(self) -> JsonObject:
        """The `args.cni` member, empty where absent."""
        args = self._fields.child("args")
        return {} if args is None else args.object("cni") or {}

    @cached_property
    def lower_links(self) -> frozenset[str]:
        """The interfaces of the sandbox that it needs as lower devices.

        That is `master` with `linkInContainer` (vlan, macvlan, ipvlan) and `links` with
        `linksInContainer` (bond). Values of a wrong type are ignored: the plugin refuses them.
        """
        fields = self._fields
        names = [fields.raw("master")] if fields.raw("linkInContainer") else []
        links = fields.raw("links") if fields.raw("linksInContainer") else None
        if isinstance(links, list):
            each = (Fields(link, "a link") for link in links if isinstance(link, dict))
            names += [link.raw("name") for link in each]
        return frozenset(name for name in names if isinstance(name, str))

    def for_plugin(
        self,
        *,
        name: str,
        cni_version: str,
        prev_result: Result | None,
        capability_args: Mapping[str, Any],
        extra: Mapping[str, Any] | None = None,
    ) -> NetConf:
        """Return the configuration to run a plugin with, as libcni injects it.

        Name and version are the list's; `prevResult` is in the list's version; `runtimeConfig` has
        the capability arguments that are declared and passed, and replaces a configured one unless
        it is empty. `capabilities` stay, as with libcni.

        Raises:
            BadInput: code 1; the previous result has no form in the version.
        """
        injected: JsonObject = {**(extra or {}), "name": name, "cniVersion": cni_version}
        known: Result | None = None
        # before 0.3.0 there are no chains, and no form for a result without address
        if prev_result is not None and (prev_result.ips or at_least(cni_version, "0.3.0")):
            injected["prevResult"] = prev_result.to_version(cni_version)
            known = prev_result if same_form(cni_version, CURRENT) else None  # older ones lose some
        passed = self._passed(capability_args)
        if passed:
            injected["runtimeConfig"] = passed
        # a member in another case could win over the injected one in a Go plugin
        folded = frozenset(map(str.casefold, injected))
        others = [key for key in self.raw if key not in injected and key.casefold() in folded]
        made = {**self.raw, **injected}
        for key in others:
            del made[key]
        return NetConf(made, known)

    def _passed(self, capability_args: Mapping[str, Any]) -> JsonObject:
        if not capability_args:
            return {}
        return {
            capability: capability_args[capability]
            for capability in sorted(self.capabilities)
            if capability_args.get(capability) is not None
        }

    def prev_result(self) -> Result | None:
        """Read `prevResult`; without a version of its own it has the configuration's.

        Raises:
            BadInput: code 6; it is no result, or its version has another form.
        """
        if self._prev is not None:
            return self._prev
        obj = self._fields.object("prevResult")
        if obj is None:
            return None
        version = self.cni_version
        own = result_version(obj, version)
        if not same_form(own, check_supported(version)):
            raise BadInput(
                f"cannot read prevResult: its cniVersion {own} does not go with the "
                f"configuration's {version or 'missing one'}",
                code=CniCode.DECODE,
            )
        return parse_result(obj, default_version=version)

    def encode(self) -> bytes:
        """Return it as compact JSON with sorted keys.

        Raises:
            BadInput: code 6; it is nested too deep.
        """
        return dumps(self.raw, _WHAT)


@dataclass(frozen=True)
class ConfList:
    """A network: its plugins in order, run as one.

    Attributes:
        cni_version: the one to run it with, always supported.
        raw: the list as an object.
    """

    name: str
    cni_version: str
    plugins: tuple[NetConf, ...]
    disable_check: bool
    disable_gc: bool
    load_only_inlined_plugins: bool
    raw: JsonObject

    def capabilities(self) -> frozenset[str]:
        """Return the capabilities that any plugin declares true."""
        return frozenset().union(*(plugin.capabilities for plugin in self.plugins))

    def with_plugins(self, confs: Iterable[JsonObject]) -> ConfList:
        """Return the list with the plugins of its folder at its end (libcni 1.3).

        Raises:
            BadInput: code 7; one of them is no plugin configuration, or there is no plugin at all.
        """
        more = list(confs)
        if not (self.plugins or more):
            raise BadInput(
                f"cannot use network {self.name}: no plugin configs found",
                remedy='fill "plugins", or the folder that is named like the network',
            )
        added = tuple(_plugin(conf, f"folder plugin {index}") for index, conf in enumerate(more))
        raw = {**self.raw, "plugins": [*(p.raw for p in self.plugins), *more]}
        return replace(self, plugins=(*self.plugins, *added), raw=raw)

    @cached_property
    def text(self) -> str:
        """The list as compact JSON with sorted keys.

        Raises:
            BadInput: code 6; it is nested too deep.
        """
        return dumps(self.raw, _WHAT).decode()


def parse_conflist(
    data: bytes | str | JsonObject,
    *,
    default_name: str = "",
    what: str = _WHAT,
    allow_empty: bool = False,
) -> ConfList:
    """Read a list, or a single plugin's configuration as a list of one.

    Args:
        data: JSON text or the object.
        default_name: the name where the configuration has none.
        what: the name of the configuration in errors.
        allow_empty: accept a list without `plugins` that allows plugins from its folder.

    Raises:
        BadInput: code 6 for no JSON or a wrong type, 1 for a version that is not supported,
            7 for anything else that libcni refuses.
    """
    obj = data if isinstance(data, dict) else loads_object(data, what)
    fields = Fields(obj, what)
    single = bool(fields.string("type"))
    if not (single or fields.has("plugins") or allow_empty):
        raise BadInput(
            f'cannot use {what}: it has neither "type" nor "plugins"',
            remedy='set "type" for one plugin, "plugins" for a list',
        )
    name = check_network_name(fields.string("name") or default_name)
    version = check_supported(negotiate(obj))
    if single:
        conf = _plugin({**obj, "name": name}, what)
        raw: JsonObject = {"cniVersion": version, "name": name, "plugins": [conf.raw]}
        return ConfList(name, version, (conf,), False, False, False, raw)
    only_inlined = _switch(fields, "loadOnlyInlinedPlugins", what)
    return ConfList(
        name=name,
        cni_version=version,
        plugins=_inlined(fields, what, allow_missing=allow_empty and not only_inlined),
        disable_check=_switch(fields, "disableCheck", what),
        disable_gc=_switch(fields, "disableGC", what),
        load_only_inlined_plugins=only_inlined,
        raw={**obj, "name": name},
    )


def _inlined(fields: Fields, what: str, *, allow_missing: bool) -> tuple[NetConf, ...]:
    confs = fields.objects("plugins")
    if not confs and (fields.has("plugins") or not allow_missing):
        raise BadInput(f"cannot use {what}: no plugins in list", remedy='fill "plugins"')
    return tuple(_plugin(conf, f"{what}: plugins[{index}]") for index, conf in enumerate(confs))


def _plugin(conf: JsonObject, what: str) -> NetConf:
    fields = Fields(conf, what)
    plugin_type = fields.string("type")
    if not plugin_type:
        raise BadInput(f'cannot use {what}: missing "type"', remedy='set "type" to a plugin')
    if "/" in plugin_type or "\0" in plugin_type:
        raise BadInput(
            f"cannot use {what}: type {shown(plugin_type)} is no file name",
            remedy='set "type" to the name of a file in the plugin directory',
        )
    netconf = NetConf(conf)
    netconf.capabilities  # noqa: B018 - read for its BadInput: a wrong type is refused here
    return netconf


def _switch(fields: Fields, key: str, what: str) -> bool:
    """Read a boolean, also as the text "true" or "false" in any case, as libcni does."""
    value = fields.raw(key)
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if value is not None and not isinstance(value, bool):
        raise BadInput(f"cannot use {what}: {key} must be true or false", remedy="write true")
    return bool(value)
