"""The keys of a plugin's configuration that say which device it gets.

Multus writes the ID of the allocated device into every plugin of a network, as `deviceID` and as
`pciBusID` (multus-cni, pkg/types/conf.go).

Invariant: no other device that the configuration names under these keys is left. Plugins in Go
read keys in any letter case, and prefer `runtimeConfig.deviceID`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from planes.model.errors import JsonObject
from planes.model.wire.netconf import ConfList, NetConf

DEVICE_ID: Final = "deviceID"
"""The key of a configuration, and the capability of the same name."""
INFO_FILE: Final = "CNIDeviceInfoFile"
"""The capability by which a plugin gets the path of its device information file."""
_KEYS: Final = (DEVICE_ID, "pciBusID")
_RUNTIME_CONFIG: Final = "runtimeconfig"


def with_device(conflist: ConfList, device: str) -> ConfList:
    """Return a configuration whose plugins all get a device.

    Args:
        conflist: the configuration.
        device: the ID of the device.
    """
    confs = [_with_keys(plugin.raw, device) for plugin in conflist.plugins]
    raw = {**conflist.raw, "plugins": confs}
    return replace(conflist, plugins=tuple(map(NetConf, confs)), raw=raw)


def _with_keys(conf: JsonObject, device: str) -> JsonObject:
    kept: JsonObject = {}
    for key, value in _without(conf, _KEYS).items():
        is_runtime = key.casefold() == _RUNTIME_CONFIG and isinstance(value, dict)
        kept[key] = _without(value, (DEVICE_ID,)) if is_runtime else value
    return {**kept, **dict.fromkeys(_KEYS, device)}


def _without(conf: JsonObject, keys: tuple[str, ...]) -> JsonObject:
    folded = {key.casefold() for key in keys}
    return {key: value for key, value in conf.items() if key.casefold() not in folded}
