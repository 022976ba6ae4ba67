"""Which sandbox a network namespace belongs to, from the results that the container runtime keeps.

libcni writes each result of an ADD to a file (`/var/lib/cni/results/<network>-<containerID>-<if>`,
`cniCacheV1`) until its DEL. It names the container, the pod (CNI_ARGS) and the paths of namespaces
(`result.interfaces[].sandbox`). Only root of the node writes there. Everything here blocks.

Invariant: a file that cannot be read says nothing; at most `MOST` files are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from planes.model.decode import loads_object
from planes.model.errors import JsonObject, PlanesError
from planes.run.files import read_regular

MOST: Final = 8192
_LARGEST: Final = 1 << 20
_KIND: Final = "cniCacheV1"


@dataclass(frozen=True, slots=True)
class RuntimeSandbox:
    """A sandbox as the container runtime has it; "" for what its files do not say."""

    container_id: str
    namespace: str = ""
    pod: str = ""
    uid: str = ""


def sandboxes_by_netns(directory: Path) -> Mapping[str, RuntimeSandbox]:
    """Return the sandboxes of all results in a directory, by path of their namespace."""
    found: dict[str, RuntimeSandbox] = {}
    for path in islice(_files(directory), MOST):
        try:
            cached = loads_object(read_regular(path, _LARGEST), "libcni's result")
        except (OSError, PlanesError):
            continue
        sandbox = _sandbox(cached)
        if sandbox is not None:
            found.update(dict.fromkeys(_namespaces(cached), sandbox))
    return found


def _files(directory: Path) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            yield from (entry.path for entry in entries)
    except OSError:
        return


def _sandbox(cached: JsonObject) -> RuntimeSandbox | None:
    container_id = cached.get("containerId")
    if cached.get("kind") != _KIND or not isinstance(container_id, str) or not container_id:
        return None
    given = _list(cached.get("cniArgs"))
    pairs = [pair for pair in given if isinstance(pair, list) and len(pair) == 2]
    args = {str(key): str(value) for key, value in pairs}
    return RuntimeSandbox(
        container_id,
        args.get("K8S_POD_NAMESPACE", ""),
        args.get("K8S_POD_NAME", ""),
        args.get("K8S_POD_UID", ""),
    )


def _namespaces(cached: JsonObject) -> Iterator[str]:
    result = cached.get("result")
    interfaces = _list(result.get("interfaces")) if isinstance(result, dict) else []
    for one in interfaces:
        path = one.get("sandbox") if isinstance(one, dict) else None
        if isinstance(path, str) and path:
            yield path
    if isinstance(path := cached.get("netns"), str) and path:
        yield path


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
