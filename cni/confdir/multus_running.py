"""Whether the Multus of a config file runs on this node, so that `uninstall` may restore the file.

Thick Multus runs if its shim is in the bin dir and its daemon answers on its socket. Thin Multus is
a binary without a daemon: it runs if the binary is in the bin dir and its kubeconfig allows to read
pods. Deleting its DaemonSet leaves binary and kubeconfig on the node (seen with 4.3.0), with a
token that is no longer valid.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from cni.confdir.multus_settings import THICK, multus_confs
from cni.host.chroot import resolve
from planes.model.decode import Fields
from planes.model.errors import JsonObject, NotFound, PlanesError

_SECONDS: Final = 10.0
_SOCKET_SECONDS: Final = 5.0
_SOCKET: Final = "multus.sock"
_SOCKET_DIR: Final = "/run/multus"
_HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: dummy\r\nConnection: close\r\n\r\n"
# No pod has this name: a client that may read pods gets 404 for it.
_NAMESPACE: Final = "kube-system"
_ABSENT_POD: Final = "netplane-asks-whether-multus-may"


def why_not_running(obj: JsonObject, daemon: JsonObject, bin_dirs: Sequence[str], root: str) -> str:
    """Return why the Multus of a file does not run, "" where it does.

    Args:
        obj: the content of the file.
        daemon: the content of its daemon-config.json, {} where there is none.
        bin_dirs: where the container runtime looks up plugins.
        root: the node's root directory as we see it.
    """
    try:
        confs = list(multus_confs(obj, daemon))
        if not confs:
            return "it cannot be read"
        return next(filter(None, (_why_not(conf, bin_dirs, root) for conf in confs)), "")
    except PlanesError as error:
        return str(error)


def _why_not(conf: JsonObject, bin_dirs: Sequence[str], root: str) -> str:
    fields = Fields(conf, "Multus' config file")
    kind = fields.string("type")
    if not any(_is_program(resolve(root, f"{folder}/{kind}")) for folder in bin_dirs):
        return f"there is no program {kind} in {':'.join(bin_dirs)}"
    if kind == THICK:
        folder = fields.string("socketDir") or fields.string("daemonSocketDir") or _SOCKET_DIR
        return _socket_fault(resolve(root, f"{folder}/{_SOCKET}"), f"{folder}/{_SOCKET}")
    kubeconfig = fields.string("kubeconfig")
    if not kubeconfig:  # Multus then attaches its delegates without the API server
        return "" if fields.objects("delegates") else "it names no kubeconfig"
    return asyncio.run(_kubeconfig_fault(Path(resolve(root, kubeconfig)), root))


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _socket_fault(path: str, shown: str) -> str:
    """Return why a daemon's socket does not answer, "" where it does."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SOCKET_SECONDS)
        try:
            client.connect(path)
            client.sendall(_HEALTH)
            answer = client.recv(64)
        except OSError as error:
            return f"its daemon does not answer on {shown}: {error.strerror or error}"
    return "" if answer.startswith(b"HTTP/") else f"its daemon does not answer on {shown}"


async def _kubeconfig_fault(kubeconfig: Path, root: str) -> str:
    """Return why pods cannot be read with a kubeconfig, "" where they can."""
    # Imported on a cluster with thin Multus only.
    from planes.kube.client.access import connect  # noqa: PLC0415
    from planes.kube.resources import PODS  # noqa: PLC0415

    agent = f"netplane-cni/{version('netplane')}"
    try:
        client = connect(kubeconfig, user_agent=agent, root=root)
    except PlanesError as error:
        return error.message
    try:
        async with asyncio.timeout(_SECONDS):
            await client.get(PODS, _ABSENT_POD, namespace=_NAMESPACE, is_metadata_only=True)
    except NotFound:
        return ""
    except PlanesError as error:
        return f"its kubeconfig {kubeconfig} is of no use: {error.message}"
    except TimeoutError:
        return f"the API server of its kubeconfig {kubeconfig} does not answer"
    finally:
        await client.close()
    return ""
