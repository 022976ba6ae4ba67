"""Connect to the API server of a pod's own account, or of a kubeconfig.

`InClusterConfigLoader` of kubernetes_asyncio is not used: it reads the token at once, raises where
the file is empty for a moment, and later reads it in the event loop.

Invariant: what is a file stays a file here, so that `Credentials` can read it again: the kubelet
rotates tokens and certificates. No secret ever shows in a repr, text or log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from planes.kube.client.client import Client
from planes.kube.client.credential_plugin import PLUGIN_SECONDS
from planes.kube.client.credentials import Access
from planes.kube.client.environment_proxy import environment_proxy
from planes.kube.client.kubeconfig import from_kubeconfig
from planes.kube.client.request import RequestLimits
from planes.kube.client.transport import Transport
from planes.model.errors import BadInput, NotFound
from planes.model.names import is_dns_label
from planes.run.clock import Clock, SystemClock

_MAX_NAME: Final = 64
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connect(
    kubeconfig: Path | None,
    *,
    user_agent: str,
    env: Mapping[str, str] = os.environ,
    account: Path = ACCOUNT,
    clock: Clock | None = None,
    root: str = "",
    context: str = "",
    further: Sequence[Path] = (),
    plugin_seconds: float = PLUGIN_SECONDS,
    follows_proxies: bool = False,
    limits: RequestLimits | None = None,
) -> Client:
    """Return a client for the API server; it connects when it is first asked something.

    Args:
        kubeconfig: the file to follow; None for the pod's own service account.
        user_agent: as the API server's audit log shows us, e.g. `netplane-cni/0.1.0`.
        env: has KUBERNETES_SERVICE_HOST and _PORT in a pod.
        account: the folder with the service account's `token` and `ca.crt`.
        clock: the machine's own unless given.
        root: prefix of the kubeconfig's absolute paths, "" where they are this container's own.
        context: that of the kubeconfig, "" for its current one.
        further: kubeconfigs that are merged into the first one.
        plugin_seconds: that the program of an `exec` user may take to log in.
        follows_proxies: without `proxy-url` the proxy that `env` names is used, as by kubectl.
        limits: of each request; those of a daemon unless given.

    Raises:
        NotFound: there is neither a kubeconfig nor a service account.
        BadInput: the kubeconfig or a proxy cannot be used, or a context is named without one.
    """
    if kubeconfig is not None:
        found = from_kubeconfig(kubeconfig, root, context, further=further)
        proxy = found.proxy
        if follows_proxies and not proxy:
            proxy = environment_proxy(found.server, env)
        access = replace(found, plugin_seconds=plugin_seconds, proxy=proxy)
    elif context:
        raise BadInput(
            f"cannot use the context {context} without a kubeconfig",
            remedy="name a kubeconfig with --kubeconfig",
        )
    else:
        access = in_cluster(env, account)
    clock = clock or SystemClock()
    return Client(Transport(access, user_agent=user_agent, clock=clock, limits=limits))


def in_cluster(env: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Access:
    """Return the access every pod with a service account has.

    Raises:
        NotFound: this is not a pod, or one without a service account token.
    """
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise NotFound(
            "cannot find the API server: KUBERNETES_SERVICE_HOST and _PORT are not set",
            remedy="run in a pod, or name a kubeconfig with --kubeconfig",
        )
    token, authority = account / "token", account / "ca.crt"
    for path in (token, authority):
        if not os.path.isfile(path):
            raise NotFound(
                f"cannot log in to the API server: there is no {path}",
                remedy="set automountServiceAccountToken, or name a kubeconfig with --kubeconfig",
            )
    shown_host = f"[{host}]" if ":" in host else host
    server = f"https://{shown_host}:{port}"
    return Access(server, authority=authority, token=token, namespace=_own_namespace(account))


def _own_namespace(account: Path) -> str:
    """Return the namespace of the pod we are in, "" where it is not known."""
    try:
        with (account / "namespace").open("rb") as file:
            text = file.read(_MAX_NAME).decode(errors="replace").strip()
    except OSError:
        return ""
    return text if is_dns_label(text) else ""
