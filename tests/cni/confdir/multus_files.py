"""Files of Multus as tests write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

JsonObject = dict[str, Any]
NAME = "00-multus.conf"


def thin(*delegates: JsonObject, **more: Any) -> JsonObject:
    """Return what the thin form writes, with these networks in it."""
    base = {"cniVersion": "1.0.0", "name": "multus-cni-network", "type": "multus"}
    return {**base, **({"delegates": list(delegates)} if delegates else {}), **more}


def put(directory: Path, obj: JsonObject, name: str = NAME) -> Path:
    """Write a file of a conf dir."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(obj))
    return path
