"""The settings of Multus' files on a node, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from planes.model.decode import loads_object
from planes.model.errors import BadInput, JsonObject, PlanesError
from planes.model.lines import one_line, printable
from planes.model.wire.multus_keys import (
    FOLLOWED,
    IDLE,
    NEEDED,
    NO_DAEMON_CONFIG,
    STANDARD,
    UNKNOWN,
)
from planes.run.files import read_regular

_REMEDY: Final = "give a node's 00-multus.conf, and daemon-config.json where there is one"
_MOST_BYTES: Final = 1 << 20
_MOST_KEYS: Final = 256
_MOST_NAMES: Final = 4096
_TYPES: Final = frozenset({"multus", "multus-shim"})
_THICK: Final = "multus-shim"


class Followed(StrEnum):
    """What becomes of a setting."""

    YES = "followed"
    NO_EFFECT = "no effect"
    TO_DO = "to do"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MultusSetting:
    """One setting of one file; `key` is as written, printable."""

    file: str
    key: str
    followed: Followed
    text: str

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        found = {"file": self.file, "key": self.key, "followed": str(self.followed)}
        return {**found, "text": self.text}


@dataclass(frozen=True, slots=True)
class MultusReport:
    """What the files say.

    Attributes:
        settings: each of them, in the order of the files.
        isolates: `namespaceIsolation` is on.
        global_namespaces: namespaces whose NADs serve everybody then.
    """

    settings: tuple[MultusSetting, ...] = ()
    isolates: bool = False
    global_namespaces: frozenset[str] = frozenset({"default"})


def read_multus(paths: Sequence[Path]) -> MultusReport:
    """Read files of Multus: 00-multus.conf, a conflist with it, daemon-config.json.

    Raises:
        BadInput: one cannot be read, or is not Multus'.
    """
    return report_of([(path.name, conf) for path in paths for conf in _confs(path)])


def report_of(confs: Sequence[tuple[str, JsonObject]]) -> MultusReport:
    """Return what configurations of Multus say, each with the name of its file."""
    settings = [each for file, conf in confs for each in _settings(file, conf)]
    kinds = [_folded(conf).get("type") for _, conf in confs]
    if _THICK in kinds and None not in kinds:
        name, _, text = NO_DAEMON_CONFIG.partition(": ")
        settings.append(MultusSetting(name, "-", Followed.TO_DO, text))
    folded: dict[str, Any] = {}
    for _, conf in confs:
        folded.update(_folded(conf))
    isolates = folded.get("namespaceisolation") is True
    listed = folded.get("globalnamespaces")
    names = str(listed).split(",")[:_MOST_NAMES] if isinstance(listed, str) and listed else []
    shared = frozenset(name.strip() for name in names) or frozenset({"default"})
    return MultusReport(tuple(settings), isolates, shared)


def _confs(path: Path) -> Iterator[JsonObject]:
    shown = printable(str(path))
    try:
        obj = loads_object(read_regular(path, _MOST_BYTES, follows=True), shown)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}", remedy=_REMEDY) from error
    except PlanesError as error:
        raise BadInput(error.message, remedy=_REMEDY) from error
    yield from confs_in(obj, shown)


def confs_in(obj: JsonObject, shown: str) -> Iterator[JsonObject]:
    """Yield Multus' own configurations in one: of its daemon, its netconf, or a conflist.

    Raises:
        BadInput: none of them is Multus'.
    """
    plugins = obj.get("plugins")
    if "type" not in obj and not isinstance(plugins, list):
        yield obj  # daemon-config.json
        return
    found = [obj, *(plugins if isinstance(plugins, list) else ())]
    of_multus = [one for one in found if isinstance(one, dict) and one.get("type") in _TYPES]
    if not of_multus:
        raise BadInput(f"cannot use {shown}: no plugin of it is Multus", remedy=_REMEDY)
    yield from of_multus


def _folded(conf: Mapping[str, Any]) -> dict[str, Any]:
    return {key.casefold(): value for key, value in conf.items()}


def _settings(file: str, conf: JsonObject) -> Iterator[MultusSetting]:
    file = one_line(file, 64)
    for key in list(conf)[:_MOST_KEYS]:
        folded = key.casefold()
        if folded in STANDARD:
            continue
        followed, text = _judged(folded, conf[key])
        yield MultusSetting(file, one_line(key, 64), followed, text)


def _judged(folded: str, value: Any) -> tuple[Followed, str]:
    if folded == "namespaceisolation" and value is True:
        return Followed.TO_DO, (
            "nodes follow it, admission does not know it: set NETPLANE_NAMESPACE_ISOLATION=true "
            "and NETPLANE_GLOBAL_NAMESPACES for webhook and daemon"
        )
    if folded in FOLLOWED:
        return Followed.YES, FOLLOWED[folded]
    if folded in IDLE:
        return Followed.NO_EFFECT, IDLE[folded]
    if folded in NEEDED:
        return Followed.TO_DO, NEEDED[folded]
    return Followed.UNKNOWN, UNKNOWN
