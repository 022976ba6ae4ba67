"""The settings of Multus that its own manifests keep in a cluster: its ConfigMaps in kube-system.

Of a node's files nothing is known here; where an administrator writes them by other means,
`--multus-config` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from planes.cli.migrate.multus_report import MultusReport, confs_in, report_of
from planes.kube.api import ReadApi
from planes.kube.resources import CONFIG_MAPS
from planes.model.decode import loads_object
from planes.model.errors import Denied, JsonObject, NotFound, PlanesError
from planes.model.names import MULTUS_NAMESPACE

_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {"multus-daemon-config": "daemon-config.json", "multus-cni-config": "cni-conf.json"}
)
"""The ConfigMaps of its thick and of its thin form, and the file in each."""
_MOST_CHARACTERS: Final = 1 << 20


async def read_multus_on_cluster(api: ReadApi) -> tuple[MultusReport, list[str]]:
    """Return the settings in Multus' ConfigMaps, and what of them could not be read, and why."""
    confs: list[tuple[str, JsonObject]] = []
    notes = []
    for name, file in _FILES.items():
        where = f"ConfigMap {MULTUS_NAMESPACE}/{name}"
        try:
            obj = await api.get(CONFIG_MAPS, name, namespace=MULTUS_NAMESPACE)
            confs += [(file, conf) for conf in _confs(where, file, obj)]
        except NotFound:
            continue
        except PlanesError as error:
            text = f"settings of Multus are not known: {error.message}"
            notes.append(f"{text}; give its files of a node with --multus-config")
            if isinstance(error, Denied):  # the other one, too
                break
    return report_of(confs), notes


def _confs(where: str, file: str, obj: JsonObject) -> Iterator[JsonObject]:
    data = obj.get("data")
    text = data.get(file) if isinstance(data, dict) else None
    if isinstance(text, str) and len(text) <= _MOST_CHARACTERS:
        yield from confs_in(loads_object(text, where), where)
