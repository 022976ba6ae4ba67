"""Reading the manifest directory once, for a command.

Invariant: it is read by the code of the store, so a command sees what webhook and daemon see.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from planes.model.errors import JsonObject
from planes.model.state.catalog import Catalog
from planes.store.manifests import Manifest, read_object
from planes.store.protocol import Problem
from planes.store.records import StatusFiles
from planes.store.scan import Look, ManifestDirectory
from planes.store.snapshot import Snapshot


def read_state(
    directory: Path, *, state_dir: Path | None = None, extra: Iterable[tuple[JsonObject, str]] = ()
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Read a manifest directory; return its state, and the problems of what is ignored in it.

    Args:
        directory: the manifests.
        state_dir: where the daemon publishes network-status; None leaves it out.
        extra: objects that replace those of the directory, as if they were applied; each with its
            `file:line`.
    """
    manifests = ManifestDirectory(directory)
    manifests.refresh(Look.ALL_AT_ONCE)
    statuses = StatusFiles(state_dir) if state_dir is not None else None
    if statuses is not None:
        statuses.refresh()
    first, problems = [], []
    for obj, where in extra:
        found = read_object(obj, where)
        if isinstance(found, Manifest):
            first.append(found)
        elif found is not None:
            problems.append(found.problem)
    given = {manifest.identity for manifest in first}
    rest = [manifest for manifest in manifests.manifests() if manifest.identity not in given]
    texts = statuses.texts() if statuses is not None else {}
    snapshot = Snapshot(Catalog()).renewed([*first, *rest], texts)
    return snapshot, (*problems, *manifests.problems(), *snapshot.problems)
