"""Read what `netplane dump` wrote."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Dumped:
    """The members of an archive, in their order."""

    members: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Dumped:
        found = {}
        with tarfile.open(path) as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                assert file is not None
                found[entry.name] = file.read().decode()
        return cls(found)

    def objects(self, name: str) -> list[Any]:
        return [json.loads(line) for line in self.members[name].splitlines()]

    @property
    def manifest(self) -> str:
        return self.members["MANIFEST.txt"]

    @property
    def text(self) -> str:
        return "".join(self.members.values())
