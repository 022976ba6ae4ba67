"""Decode JSON from outside: bytes to values, and objects to typed members.

Any input gives a value or exactly one `BadInput` with CNI code 6. Numbers keep their value: an
integer beyond 64 bits stays an integer. Members are looked up as by Go's encoding/json, on which
configurations rely: exact name first, then ignoring case; null counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from planes.model.errors import BadInput, CniCode, JsonObject

# A 64-bit integer has at most 20 digits, one beyond 64 bits at least 19: only a text with such a
# run can hold a number that orjson would turn into a float.
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
# Members spelled as the CNI spec, network-status and the plugins' documents spell them. No two
# differ in case only, so an object of these alone holds nothing that a lookup ignoring case could
# add; most objects are such.
# fmt: off
SPELLINGS = frozenset((
    "cniVersion", "name", "type", "plugins", "capabilities", "ipam", "runtimeConfig", "prevResult",
    "args", "interfaces", "mac", "mtu", "sandbox", "socketPath", "pciID", "ips", "version",
    "interface", "address", "gateway", "routes", "dst", "gw", "advmss", "priority", "table",
    "scope", "dns", "nameservers", "domain", "search", "options", "ip4", "ip6", "ip", "default",
    "disableCheck", "disableGC", "loadOnlyInlinedPlugins", "cniVersions", "cni", "delegate",
    "namespace", "planes", "plane", "candidates", "bridge", "isGateway", "isDefaultGateway",
    "forceAddress", "ipMasq", "ipMasqBackend", "hairpinMode", "promiscMode", "portIsolation",
    "vlan", "vlanTrunk", "macspoofchk", "enabledad", "disableContainerInterface", "master", "mode",
    "bcqueuelen", "linkInContainer", "ranges", "subnet", "rangeStart", "rangeEnd", "dataDir",
    "resolvConf", "addresses", "ipRanges", "portMappings", "bandwidth", "infinibandGUID",
    "deviceID", "snat", "masqAll", "backend", "conditionsV4", "conditionsV6", "markMasqBit",
    "externalSetMarkChain", "ingressRate", "ingressBurst", "egressRate", "egressBurst", "vlanId",
    "vrfname",
))
# fmt: on
_MAX_BYTES = 8 << 20  # the daemon's body limit; nothing that is read is larger


def loads(data: bytes | str, what: str) -> Any:
    """Read one JSON value.

    Args:
        data: UTF-8 text without byte order mark.
        what: the name of the input in the error, e.g. `the network configuration`.

    Raises:
        BadInput: code 6; not JSON, nested too deep, too large, or a number that no double holds.
    """
    if len(data) > _MAX_BYTES:
        raise _unreadable(what, f"it is larger than {_MAX_BYTES >> 20} MiB")
    try:
        value = orjson.loads(data)
        raw = data.encode() if isinstance(data, str) else data
        if _LONG_NUMBER in raw.translate(_DIGITS_TO_ZERO):
            value = json.loads(raw.decode())
    except orjson.JSONDecodeError as error:
        raise _unreadable(what, _cause(error)) from error
    except RecursionError as error:
        raise _unreadable(what, "it is nested too deep") from error
    except ValueError as error:
        raise _unreadable(what, "it holds a number of too many digits") from error
    return value


def loads_object(data: bytes | str, what: str) -> JsonObject:
    """Read one JSON object.

    Raises:
        BadInput: code 6; see `loads`, or the value is no object.
    """
    value = loads(data, what)
    if not isinstance(value, dict):
        raise _unreadable(what, f"it must be an object, not {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """Return a JSON value's type in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


class Fields:
    """The members of one JSON object, each read as the expected type.

    Every getter raises `BadInput` (code 6, naming the member's path) for a value of another type.
    The object must not change. The usual getters look the exact name up themselves, not by `raw`: a
    call of the daemon reads hundreds of members, and most are spelled as in `SPELLINGS` or absent.
    """

    __slots__ = ("_children", "_folded", "_is_plain", "_obj", "_path", "_remedy", "_what")

    def __init__(self, obj: Mapping[str, Any], what: str, path: str = "", remedy: str = "") -> None:
        self._obj = obj
        self._remedy = remedy
        self._what = what
        self._path = path
        self._is_plain = obj.keys() <= SPELLINGS
        self._folded: dict[str, Any] | None = None
        self._children: dict[str, Fields | None] = {}

    def names(self) -> tuple[str, ...]:
        """Return the members' names as written."""
        return tuple(self._obj)

    def raw(self, key: str) -> Any:
        """Return the member as it is, None where absent or null."""
        value = self._obj.get(key)
        if value is None and not (self._is_plain and key in SPELLINGS):
            return self._in_any_case(key)
        return value

    def has(self, key: str) -> bool:
        """Report whether the member is present and not null."""
        return self.raw(key) is not None

    def string(self, key: str, default: str = "") -> str:
        """Return a string member."""
        value = self._obj.get(key)
        if value is None and not (self._is_plain and key in SPELLINGS):
            value = self._in_any_case(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(key, "a string", value)
        return value

    def integer(self, key: str, default: int = 0) -> int:
        """Return an integer member of at most 64 bits."""
        value = self.optional_integer(key)
        return default if value is None else value

    def optional_integer(self, key: str) -> int | None:
        """Return an integer member of at most 64 bits, None where absent."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, "an integer", value)
        if not -(1 << 63) <= value < 1 << 64:
            raise self.bad(key, "must fit in 64 bits")
        return value

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a boolean member."""
        value = self._obj.get(key)
        if value is None and not (self._is_plain and key in SPELLINGS):
            value = self._in_any_case(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "a boolean", value)
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty where absent."""
        value = self._list(key)
        for index, element in enumerate(value):
            if not isinstance(element, str):
                raise self.wrong(f"{key}[{index}]", "a string", element)
        return tuple(value)

    def object(self, key: str) -> JsonObject | None:
        """Return an object member, None where absent."""
        value = self._obj.get(key)
        if value is None and not (self._is_plain and key in SPELLINGS):
            value = self._in_any_case(key)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(key, "an object", value)
        return value

    def objects(self, key: str) -> list[JsonObject]:
        """Return a list of objects, empty where absent."""
        value = self._list(key)
        for index, element in enumerate(value):
            if not isinstance(element, dict):
                raise self.wrong(f"{key}[{index}]", "an object", element)
        return value

    def child(self, key: str) -> Fields | None:
        """Return an object member's own fields, None where absent; the same ones each time."""
        if key not in self._children:
            value = self.object(key)
            path = f"{self._path}{key}."
            self._children[key] = (
                None if value is None else Fields(value, self._what, path, self._remedy)
            )
        return self._children[key]

    def children(self, key: str) -> list[Fields]:
        """Return the fields of each object in a list, empty where absent."""
        return [
            Fields(element, self._what, f"{self._path}{key}[{index}].", self._remedy)
            for index, element in enumerate(self.objects(key))
        ]

    def wrong(self, key: str, expected: str, value: Any) -> BadInput:
        """Return the error for a member of another type."""
        return self.bad(key, f"must be {expected}, not {kind_of(value)}")

    def bad(self, key: str, reason: str) -> BadInput:
        """Return the error for a member that cannot be used; `reason` begins with a verb."""
        return _unreadable(self._what, f"{self._path}{key} {reason}", self._remedy)

    def _in_any_case(self, key: str) -> Any:
        if self._folded is None:
            self._folded = _by_folded_name(self._obj)
        return self._folded.get(key.casefold())

    def _list(self, key: str) -> list[Any]:
        value = self._obj.get(key)
        if value is None and not (self._is_plain and key in SPELLINGS):
            value = self._in_any_case(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(key, "a list", value)
        return value


def _by_folded_name(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members by case-folded name, last wins."""
    return {
        folded: member
        for name, member in obj.items()
        # Go folds one letter to one letter, never "ß" to "ss".
        if member is not None and len(folded := name.casefold()) == len(name)
    }


def _cause(error: orjson.JSONDecodeError) -> str:
    # orjson's wording for its depth limit, at a few hundred levels
    reason = "nested too deep" if "allocate" in error.msg else error.msg
    return f"{reason} (line {error.lineno}, column {error.colno})"


def _unreadable(what: str, cause: str, remedy: str = "") -> BadInput:
    return BadInput(f"cannot read {what}: {cause}", remedy=remedy, code=CniCode.DECODE)
