"""One key of a plugin's configuration: the values it may have in a tenant's NAD, and why.

Values are compared strictly: where a switch must be off, only `false` is permitted, not `"false"`
or `0`, which a plugin might read as something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Permits = Callable[[Any], bool]

NO_MOST: Final = 0


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One key.

    Attributes:
        name: as its documentation spells it; plugins written in Go ignore case.
        why: what it would let its author do beyond the pod, "" where any value is permitted.
        permits: reports whether a value is harmless all the same; only with `why`.
        members: keys of its value: an object, a list of objects, or a list of such lists.
        most: how many elements the list, or members the object, may have; 0: not counted.
    """

    name: str
    why: str = ""
    permits: Permits | None = None
    members: tuple[ConfigKey, ...] = ()
    most: int = NO_MOST

    def is_permitted(self, value: Any) -> bool:
        """Report whether a tenant may write this value."""
        if not self.why or value is None:  # null counts as absent, as in Go
            return True
        return self.permits is not None and self.permits(value)


@dataclass(frozen=True, slots=True)
class PluginKeys:
    """The known keys of a plugin type.

    Attributes:
        why: what the type itself would let a NAD's author do on the node; "" for nothing.
        parent_key: the key that names its host interface, "" where it has none.
        vlan_key: the key of the VLAN on that interface.
        default_parent: the host interface where the key is absent, in words.
    """

    keys: Mapping[str, ConfigKey] = field(default_factory=dict)
    why: str = ""
    parent_key: str = ""
    vlan_key: str = ""
    default_parent: str = ""


def keyed(*keys: ConfigKey) -> Mapping[str, ConfigKey]:
    """Index keys by their names, case folded."""
    return {key.name.casefold(): key for key in keys}


def free(*names: str) -> tuple[ConfigKey, ...]:
    """Return keys that may have any value."""
    return tuple(ConfigKey(name) for name in names)


def never(name: str, why: str) -> ConfigKey:
    """Return a key that a tenant may not write."""
    return ConfigKey(name, why)


def off(name: str, why: str) -> ConfigKey:
    """Return a switch that a tenant may only write as false."""
    return ConfigKey(name, why, lambda value: value is False)


def one_of(name: str, why: str, *values: str) -> ConfigKey:
    """Return a key that a tenant may only write with one of these texts."""
    return ConfigKey(name, why, lambda value: isinstance(value, str) and value in values)


def at_most(name: str, largest: int, why: str) -> ConfigKey:
    """Return a key that a tenant may only write as an integer from 0 to `largest`."""
    return ConfigKey(
        name,
        why,
        lambda value: (
            isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest
        ),
    )
