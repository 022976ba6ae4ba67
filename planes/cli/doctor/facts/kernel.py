"""What the running kernel was built with, by its configuration and its lists of modules.

Nothing is probed: to make a link of a kind would load its module.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from cni.host.chroot import resolve
from planes.cli.doctor.facts.reading import read_bounded

_MOST_BYTES: Final = 8 << 20
_GZIP: Final = 31  # zlib's window bits for a gzip header


@dataclass(frozen=True, slots=True)
class KernelFeature:
    """A part of the kernel.

    Attributes:
        option: of the kernel's configuration.
        module: its module, "" where it can only be built in.
    """

    option: str
    module: str = ""


class FeatureState(Enum):
    """Whether a part of the kernel is there."""

    THERE = auto()
    LOADABLE = auto()
    """A module that the kernel loads when it is first needed."""
    ABSENT = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """What is known of the running kernel.

    Attributes:
        release: as `uname -r` has it.
        options: of its configuration, `y` or `m`; None where it cannot be read.
        built_in: modules that are part of it.
        on_disk: modules that can be loaded.
        has_modules: whether the lists of modules were found.
        loaded: modules that are loaded.
    """

    release: str
    options: Mapping[str, str] | None = None
    built_in: frozenset[str] = field(default_factory=frozenset)
    on_disk: frozenset[str] = field(default_factory=frozenset)
    has_modules: bool = False
    loaded: frozenset[str] = field(default_factory=frozenset)

    def state_of(self, feature: KernelFeature) -> FeatureState:
        """Return whether a part is there, as far as that is known."""
        if feature.module and feature.module in self.loaded | self.built_in:
            return FeatureState.THERE
        if self.options is not None and self.options.get(feature.option) == "y":
            return FeatureState.THERE
        is_module = self.options is None or self.options.get(feature.option) == "m"
        if feature.module and self.has_modules and is_module:
            is_there = feature.module in self.on_disk
            return FeatureState.LOADABLE if is_there else FeatureState.ABSENT
        if self.options is None:
            return FeatureState.UNKNOWN
        return FeatureState.UNKNOWN if is_module else FeatureState.ABSENT


def read_kernel(root: str = "", proc: str = "/proc") -> KernelBuild:
    """Read what is known.

    Args:
        root: the node's root directory as this process sees it, for its modules.
        proc: where proc is mounted.
    """
    release = os.uname().release
    folder = f"/lib/modules/{release}"
    built_in = _modules(root, f"{folder}/modules.builtin")
    on_disk = _modules(root, f"{folder}/modules.dep")
    return KernelBuild(
        release,
        _options(root, release, proc),
        built_in or frozenset(),
        on_disk or frozenset(),
        on_disk is not None,
        frozenset(_loaded(proc)),
    )


def _options(root: str, release: str, proc: str) -> Mapping[str, str] | None:
    text: bytes | None = None
    with suppress(OSError, zlib.error):
        packed = read_bounded(f"{proc}/config.gz", _MOST_BYTES)
        text = zlib.decompressobj(_GZIP).decompress(packed, _MOST_BYTES)
    if text is None:
        for path in (f"/boot/config-{release}", f"/lib/modules/{release}/config"):
            with suppress(OSError):
                text = read_bounded(resolve(root, path), _MOST_BYTES)
                break
    if text is None:
        return None
    lines = (line.partition("=") for line in text.decode("ascii", "replace").splitlines())
    return {name: value for name, _, value in lines if value in {"y", "m"}}


def _modules(root: str, path: str) -> frozenset[str] | None:
    """Return the names of modules that a list has; None where there is no list."""
    try:
        text = read_bounded(resolve(root, path), _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    files = (line.partition(":")[0].rpartition("/")[2] for line in text.splitlines())
    return frozenset(name.partition(".ko")[0].replace("-", "_") for name in files if name)


def _loaded(proc: str) -> Iterator[str]:
    with suppress(OSError):
        for line in read_bounded(f"{proc}/modules", _MOST_BYTES).splitlines():
            yield line.partition(b" ")[0].decode("utf-8", "replace")
