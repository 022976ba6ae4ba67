"""kubernetes_asyncio without its models: the classes we use cost 2 MiB instead of 38.

The package's `__init__` imports some 900 generated models that we never decode into. During our
import an empty module stands in for each package. It is removed again, so that a later import of
kubernetes_asyncio loads all of it. So only one thread may load at a time: `lean_config` does it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

_ROOT: Final = "kubernetes_asyncio"
_CLIENT: Final = f"{_ROOT}.client"
_CONFIG: Final = f"{_ROOT}.config"
_KUBE_CONFIG: Final = f"{_CONFIG}.kube_config"


def load(name: str) -> Any:
    """Import the module `kubernetes_asyncio.client.<name>` alone.

    Raises:
        ImportError: kubernetes_asyncio is not installed, or has no such module.
    """
    with _stand_ins(_ROOT, _CLIENT):
        return importlib.import_module(f"{_CLIENT}.{name}")


def load_config(name: str) -> Any:
    """Import the module `kubernetes_asyncio.config.<name>` alone.

    `kube_config` imports `ApiClient`, which would load the models. It uses that class only where it
    makes clients, which we do ourselves, so for us it is None.

    Raises:
        ImportError: kubernetes_asyncio is not installed, or has no such module.
    """
    configuration = load("configuration").Configuration
    is_loaded = _KUBE_CONFIG in sys.modules
    with _stand_ins(_ROOT, _CLIENT, _CONFIG) as made:
        if client := made.get(_CLIENT):
            client.__dict__.update(ApiClient=None, Configuration=configuration)
        module = importlib.import_module(f"{_CONFIG}.{name}")
        if client and not is_loaded:
            sys.modules.pop(_KUBE_CONFIG, None)  # a later import gets the one with ApiClient
        return module


@contextmanager
def _stand_ins(*packages: str) -> Iterator[dict[str, ModuleType]]:
    """Put empty modules in the place of the packages that are not loaded, inside the block."""
    made: dict[str, ModuleType] = {}
    try:
        for package in packages:
            if package not in sys.modules:
                sys.modules[package] = made[package] = _empty(package)
        yield made
    finally:
        for package in made:
            sys.modules.pop(package, None)


def _empty(package: str) -> ModuleType:
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"no package {package}", name=package)
    return importlib.util.module_from_spec(spec)
