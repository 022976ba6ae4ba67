"""kubernetes_asyncio without its models: the two classes we use cost 2 MiB instead of 38.

The package's `__init__` imports some 900 generated models we never decode into. We put an empty
stand-in of the two packages in the way while we import, and take it out again, so that whoever
imports kubernetes_asyncio after us gets all of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

_PACKAGES: Final = ("kubernetes_asyncio", "kubernetes_asyncio.client")


def load(name: str) -> Any:
    """Import `kubernetes_asyncio.client.<name>` alone; its module.

    Raises:
        ImportError: kubernetes_asyncio is not installed, or has no such module.
    """
    stand_ins = [package for package in _PACKAGES if package not in sys.modules]
    try:
        for package in stand_ins:
            sys.modules[package] = _stand_in(package)
        return importlib.import_module(f"kubernetes_asyncio.client.{name}")
    finally:
        for package in stand_ins:
            sys.modules.pop(package, None)


def _stand_in(package: str) -> ModuleType:
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"no package {package}", name=package)
    return importlib.util.module_from_spec(spec)
