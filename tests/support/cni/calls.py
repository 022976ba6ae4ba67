"""Calls as values, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cni.call import CniRequest
from planes.model.wire.cniversion import Verb


def add_request(
    pod: str = "",
    uid: str = "",
    namespace: str = "shop",
    *,
    args: Mapping[str, str] | None = None,
    conf: Mapping[str, Any] | None = None,
) -> CniRequest:
    """Return an ADD of sandbox c1; without a pod its CNI_ARGS name none."""
    known = {"K8S_POD_NAMESPACE": namespace, "K8S_POD_NAME": pod, "K8S_POD_UID": uid}
    pairs = {**(known if pod else {}), **(args or {})}
    return CniRequest(
        verb=Verb.ADD,
        container_id="c1",
        netns="/run/netns/c1",
        ifname="eth0",
        cni_args=tuple(pairs.items()),
        cni_path=("/opt/cni/bin",),
        stdin=b"",
        conf=dict(conf or {}),
    )
