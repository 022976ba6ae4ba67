"""The NetworkAttachmentDefinition kind: defined where nobody has defined it, never changed.

On most clusters Multus or the distribution brought it; ours is the same definition, for clusters
that have none.
"""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Final

import yaml

from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import CRDS
from planes.model.errors import JsonObject

_log = logging.getLogger(__name__)

_PACKAGE: Final = "planes.kube"
_FILE: Final = "network_attachment_definition.yaml"


def definition() -> JsonObject:
    """Give the CustomResourceDefinition that comes with Netplane."""
    found: JsonObject = yaml.safe_load((files(_PACKAGE) / _FILE).read_text("utf-8"))
    return found


async def define(api: KubeApi) -> bool:
    """Create the definition unless there is one; whether it did.

    Raises:
        PlanesError: the API server does not take it.
    """
    wanted = definition()
    try:
        await api.create(CRDS, wanted)
    except AlreadyExists:
        return False
    _log.info("kind defined", extra={"definition": wanted["metadata"]["name"]})
    return True
