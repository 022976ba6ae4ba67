"""Pods of standalone mode: one JSON file each, below the manifest directory.

The `netplane` command writes them in the place of an API server; the store only reads them.
Invariant: a file is named after its pod, `shop_db-0.json`, so it is found without a search.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from planes.model.errors import BadInput, JsonObject, Unavailable
from planes.run.files import file_name, remove, replace

PODS: Final = "pods"


def pod_path(directory: Path, namespace: str, name: str) -> Path:
    """Return the file of a pod; DNS names have no underscore, so no two pods share one."""
    return directory / PODS / f"{file_name(namespace)}_{file_name(name)}.json"


class PodFiles:
    """Pods that the `netplane` command created."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, pod: JsonObject) -> None:
        """Write a pod, at once.

        Raises:
            Unavailable: it could not be written.
        """
        meta: dict[str, Any] = pod["metadata"]
        path = pod_path(self._directory, meta["namespace"], meta["name"])
        try:
            replace(path, orjson.dumps(pod, option=orjson.OPT_INDENT_2), mode=0o644)
        except OSError as error:
            raise Unavailable(
                f"cannot write {path}: {error.strerror}",
                remedy="look at free space and permissions of the manifest directory",
            ) from error

    def get(self, namespace: str, name: str) -> JsonObject | None:
        """Read a pod; None where there is none.

        Raises:
            BadInput: its file is no pod.
        """
        return self._read(pod_path(self._directory, namespace, name))

    def remove(self, namespace: str, name: str) -> None:
        """Remove a pod; none there is fine.

        Raises:
            Unavailable: it could not be removed.
        """
        path = pod_path(self._directory, namespace, name)
        try:
            remove(path)
        except OSError as error:
            raise Unavailable(f"cannot remove {path}: {error.strerror}") from error

    def all(self, on_bad: Callable[[BadInput], None] | None = None) -> list[JsonObject]:
        """Read all pods, by namespace and name; `on_bad` is called for each file that is no pod.

        Raises:
            BadInput: a file is no pod, or cannot be read, and there is no `on_bad`.
        """
        pods = []
        for path in sorted((self._directory / PODS).glob("*_*.json")):
            try:
                pod = None if path.name.startswith(".") else self._read(path)
            except BadInput as error:
                if on_bad is None:
                    raise
                on_bad(error)
                continue
            if pod is not None:
                pods.append(pod)
        return pods

    def _read(self, path: Path) -> JsonObject | None:
        try:
            pod = orjson.loads(path.read_bytes())
            if isinstance(pod["metadata"]["name"], str) and pod["metadata"]["namespace"]:
                return dict(pod)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError):
            pass
        raise BadInput(
            f"cannot read {path}: it is no pod",
            remedy="it was changed by hand: mend it, or remove the file and the pod's netns",
        )
