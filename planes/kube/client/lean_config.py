"""The modules of kubernetes_asyncio by which kubeconfigs are read, loaded once for all threads.

A module of its own, as Python has threads wait that import what another one is importing: `lean`
puts stand-ins in the place of packages meanwhile, which two threads at once would take away from
each other. It is imported where it is needed: it takes longer to load than most commands take.
"""

from __future__ import annotations

from typing import Any, Final

from planes.kube.client import lean

KUBE_CONFIG: Final[Any] = lean.load_config("kube_config")
DATEUTIL: Final[Any] = lean.load_config("dateutil")
