"""Network configurations: one plugin's (`NetConf`), and the list a network is made of (`ConfList`).

Members we do not know pass through unchanged, numbers of any size included; bytes are the same
for the same content. What libcni injects before it runs a plugin is injected here (spec 1.1.0
§3, libcni conf.go and api.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.names import check_network_name, shown
from planes.model.wire.cniversion import at_least, check_supported, negotiate
from planes.model.wire.result import Result, parse_result, result_version, same_form

_WHAT: Final = "the network configuration"


@dataclass(frozen=True, slots=True)
class NetConf:
    """One plugin's configuration; the raw object is never changed."""

    raw: JsonObject
    _fields: Fields = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Kept: an attach asks its configuration a hundred things.
        object.__setattr__(self, "_fields", Fields(self.raw, _WHAT))

    def fields(self) -> Fields:
        """Give typed access to the members; errors name the path in the configuration."""
        return self._fields

    @property
    def type(self) -> str:
        """The plugin's file name."""
        return self.fields().string("type")

    @property
    def name(self) -> str:
        """The network's name, "" before it is injected."""
        return self.fields().string("name")

    @property
    def cni_version(self) -> str:
        """The version as written, "" where absent."""
        return self.fields().string("cniVersion")

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities declared true."""
        declared = self.fields().child("capabilities")
        if declared is None:
            return frozenset()
        return frozenset(key for key in declared.names() if declared.boolean(key))

    @property
    def ipam(self) -> JsonObject:
        """The IPAM configuration, empty where absent."""
        return self.fields().object("ipam") or {}

    @property
    def ipam_type(self) -> str:
        """The IPAM plugin's file name, "" for a network without addresses."""
        ipam = self.fields().child("ipam")
        return "" if ipam is None else ipam.string("type")

    @property
    def runtime_config(self) -> JsonObject:
        """What the runtime passes for declared capabilities, empty where absent."""
        return self.fields().object("runtimeConfig") or {}

    @property
    def args_cni(self) -> JsonObject:
        """The `args.cni` member, empty where absent."""
        args = self.fields().child("args")
        return {} if args is None else args.object("cni") or {}

    def for_plugin(
        self,
        *,
        name: str,
        cni_version: str,
        prev_result: Result | None,
        capability_args: Mapping[str, Any],
        extra: Mapping[str, Any] | None = None,
    ) -> NetConf:
        """Give the configuration a plugin is run with, as libcni injects it.

        Name and version are the list's; `prevResult` comes in the list's version; `runtimeConfig`
        is what is both declared and passed and replaces a configured one, unless it is empty.
        `capabilities` stay, as libcni leaves them in.

        Raises:
            BadInput: code 1; the previous result has no form in the version.
        """
        injected: JsonObject = {**(extra or {}), "name": name, "cniVersion": cni_version}
        # before 0.3.0 there are no chains, and no form for a result without address
        if prev_result is not None and (prev_result.ips or at_least(cni_version, "0.3.0")):
            injected["prevResult"] = prev_result.to_version(cni_version)
        passed = self._passed(capability_args)
        if passed:
            injected["runtimeConfig"] = passed
        # a member in another case could win over the injected one in a Go plugin
        folded = {key.casefold() for key in injected}
        kept = {key: value for key, value in self.raw.items() if key.casefold() not in folded}
        return NetConf({**kept, **injected})

    def _passed(self, capability_args: Mapping[str, Any]) -> JsonObject:
        if not capability_args:
            return {}
        return {
            capability: capability_args[capability]
            for capability in sorted(self.capabilities)
            if capability_args.get(capability) is not None
        }

    def prev_result(self) -> Result | None:
        """Read `prevResult`; without version of its own it has the configuration's.

        Raises:
            BadInput: code 6; it is no result, or of a version with another form than ours.
        """
        obj = self.fields().object("prevResult")
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
        """Write it compactly, keys sorted.

        Raises:
            BadInput: code 6; it is nested too deep.
        """
        return dumps(self.raw, _WHAT)


@dataclass(frozen=True, slots=True)
class ConfList:
    """A network: its plugins in order, run as one.

    Attributes:
        cni_version: the one to run it with, always supported.
        raw: the list object it was read from, or stands for.
    """

    name: str
    cni_version: str
    plugins: tuple[NetConf, ...]
    disable_check: bool
    disable_gc: bool
    load_only_inlined_plugins: bool
    raw: JsonObject

    def capabilities(self) -> frozenset[str]:
        """Give what any of the plugins declares true."""
        return frozenset().union(*(plugin.capabilities for plugin in self.plugins))

    def with_plugins(self, confs: Iterable[JsonObject]) -> ConfList:
        """Give the list with more plugins at its end (those of its folder, libcni 1.3).

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
        return ConfList(
            self.name,
            self.cni_version,
            (*self.plugins, *added),
            self.disable_check,
            self.disable_gc,
            self.load_only_inlined_plugins,
            raw,
        )

    def encode(self) -> bytes:
        """Write it compactly, keys sorted.

        Raises:
            BadInput: code 6; it is nested too deep.
        """
        return dumps(self.raw, _WHAT)


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
        what: names the configuration in errors.
        allow_empty: accept a list without `plugins` that allows plugins from its folder.

    Raises:
        BadInput: code 6 for no JSON or a wrong type, 1 for a version that is not ours, 7 for
            anything else libcni would refuse.
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
    netconf.capabilities  # noqa: B018 - read for its BadInput: a wrong type is refused at once
    return netconf


def _switch(fields: Fields, key: str, what: str) -> bool:
    """Read a boolean that libcni also takes as the text "true" or "false", in any case."""
    value = fields.raw(key)
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if value is not None and not isinstance(value, bool):
        raise BadInput(f"cannot use {what}: {key} must be true or false", remedy="write true")
    return bool(value)
