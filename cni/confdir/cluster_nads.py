"""NADs that Multus' file names, read from the API server: `uninstall` runs without a store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from cni.confdir.trusted_nads import TrustedNads, no_nads
from cni.settings import PROG, Settings
from planes.model.decode import Fields
from planes.model.errors import PlanesError
from planes.model.objects import NadRef
from planes.model.wire.netconf import ConfList, parse_conflist

_log = logging.getLogger(__name__)

_SECONDS: Final = 15.0


def cluster_nads(settings: Settings, env: Mapping[str, str]) -> TrustedNads:
    """Return a lookup of NADs in the cluster; one that cannot be read is logged and left out."""
    if settings.is_standalone:
        return no_nads

    def find(ref: NadRef) -> ConfList | None:
        if settings.nad_policy.restricts(ref.namespace):
            return None
        try:
            return asyncio.run(_read(settings, env, ref))
        except (PlanesError, TimeoutError) as error:
            _log.warning("cannot read the NAD", extra={"nad": str(ref), "reason": str(error)})
            return None

    return find


async def _read(settings: Settings, env: Mapping[str, str], ref: NadRef) -> ConfList | None:
    """Read the NAD by a list request: the daemon's role may list NADs, but not get one.

    Raises:
        PlanesError: the API server cannot be reached, or the NAD cannot be used.
        TimeoutError: the API server does not answer.
    """
    # Imported on a cluster only.
    from planes.kube.api import Query  # noqa: PLC0415
    from planes.kube.client.access import connect  # noqa: PLC0415
    from planes.kube.resources import NADS  # noqa: PLC0415

    agent = f"{PROG}/{version('netplane')}"
    query = Query(NADS, namespace=ref.namespace, fields=f"metadata.name={ref.name}")
    async with (
        asyncio.timeout(_SECONDS),
        connect(settings.kubeconfig, user_agent=agent, env=env) as client,
    ):
        async for page in client.pages(query):
            for obj in page.items:
                spec = Fields(obj, f"the NAD {ref}").child("spec")
                config = "" if spec is None else spec.string("config")
                if config.strip():
                    return parse_conflist(config, default_name=ref.name, what=f"the NAD {ref}")
    return None
