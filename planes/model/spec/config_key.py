"""One key of a plugin's configuration: what it may hold in a NAD that a tenant wrote, and why.

Values are compared strictly: what a plugin might still read as something else (`"false"`, `0`) is
not permitted where the key has to be off.
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
        why: what it gives its author beyond the pod, "" for nothing: then any value will do.
        permits: tells whether a value is harmless all the same; of `why` only.
        members: keys of the object, or of each object of the list (of lists), it holds.
        most: how many elements the list, or members the object, may have; 0: not counted.
    """

    name: str
    why: str = ""
    permits: Permits | None = None
    members: tuple[ConfigKey, ...] = ()
    most: int = NO_MOST

    def is_permitted(self, value: Any) -> bool:
        """Tell whether a tenant may write this value."""
        if not self.why or value is None:  # null counts as absent, in Go as here
            return True
        return self.permits is not None and self.permits(value)


@dataclass(frozen=True, slots=True)
class PluginKeys:
    """What is known of a plugin type.

    Attributes:
        why: what the type itself gives a NAD's author over the node; "" for nothing.
        stands_on: the key that names the host interface it stands on, "" where it has none.
        tagged_by: the key of the VLAN that it takes of that interface.
        by_default: what it stands on where the key is absent, in words.
    """

    keys: Mapping[str, ConfigKey] = field(default_factory=dict)
    why: str = ""
    stands_on: str = ""
    tagged_by: str = ""
    by_default: str = ""


def keyed(*keys: ConfigKey) -> Mapping[str, ConfigKey]:
    """Index keys by their names, case folded."""
    return {key.name.casefold(): key for key in keys}


def free(*names: str) -> tuple[ConfigKey, ...]:
    """Give keys that may hold anything."""
    return tuple(ConfigKey(name) for name in names)


def never(name: str, why: str) -> ConfigKey:
    """Give a key that a tenant may not write."""
    return ConfigKey(name, why)


def off(name: str, why: str) -> ConfigKey:
    """Give a switch that a tenant may only write as false."""
    return ConfigKey(name, why, lambda value: value is False)


def one_of(name: str, why: str, *values: str) -> ConfigKey:
    """Give a key that a tenant may only write with one of these texts."""
    return ConfigKey(name, why, lambda value: isinstance(value, str) and value in values)


def at_most(name: str, largest: int, why: str) -> ConfigKey:
    """Give a key that a tenant may only write as an integer from 0 to `largest`."""
    return ConfigKey(
        name,
        why,
        lambda value: (
            isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest
        ),
    )
