"""The manifests as a command sees them: read once, through the store's own code.

Invariant: what a command explains or lists is what webhook and daemon would decide from the same
directory.
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
    directory: Path, *, state_dir: Path | None = None, extra: Iterable[JsonObject] = ()
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Read a manifest directory once; gives its state and what is ignored in it.

    Args:
        directory: the manifests.
        state_dir: where the daemon publishes network-status, if that is wanted.
        extra: objects that count before those of the directory, as if they were applied.
    """
    manifests = ManifestDirectory(directory)
    manifests.refresh(Look.ALL_AT_ONCE)
    statuses = StatusFiles(state_dir) if state_dir is not None else None
    if statuses is not None:
        statuses.refresh()
    first, problems = [], []
    for obj in extra:
        found = read_object(obj, "the given file")
        if isinstance(found, Manifest):
            first.append(found)
        elif found is not None:
            problems.append(found.problem)
    given = {manifest.identity for manifest in first}
    rest = [manifest for manifest in manifests.manifests() if manifest.identity not in given]
    texts = statuses.texts() if statuses is not None else {}
    snapshot = Snapshot(Catalog()).renewed([*first, *rest], texts)
    return snapshot, (*problems, *manifests.problems(), *snapshot.problems)
