"""How to reach an API server and who we are to it: from a pod's own account, or a kubeconfig.

Invariant: what is a file stays a file here, so that `Credentials` can read it again: the kubelet
rotates tokens and certificates under us. Nothing of it ever shows in a repr, text or log.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from planes.kube.client import Client
from planes.kube.credentials import Access, Source
from planes.kube.transport import Transport
from planes.model.errors import BadInput, NotFound
from planes.run.clock import Clock, SystemClock

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_MAX_BYTES = 1 << 20  # of a kubeconfig
_HOWS = "exec", "auth-provider", "username"


def connect(
    kubeconfig: Path | None,
    *,
    user_agent: str,
    env: Mapping[str, str] = os.environ,
    account: Path = ACCOUNT,
    clock: Clock | None = None,
) -> Client:
    """Give a client for the API server; it connects when it is first asked something.

    Args:
        kubeconfig: the file to follow; None for the pod's own service account.
        user_agent: as the API server's audit log shows us, e.g. `netplane-cni/0.1.0`.
        env: where KUBERNETES_SERVICE_HOST and _PORT are looked for.
        account: the folder with the service account's `token` and `ca.crt`.
        clock: the machine's own unless given.

    Raises:
        NotFound: there is neither a kubeconfig nor a service account.
        BadInput: the kubeconfig cannot be used.
    """
    access = in_cluster(env, account) if kubeconfig is None else from_kubeconfig(kubeconfig)
    return Client(Transport(access, user_agent=user_agent, clock=clock or SystemClock()))


def in_cluster(env: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Access:
    """Give the access every pod with a service account has.

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
        if not path.is_file():
            raise NotFound(
                f"cannot log in to the API server: there is no {path}",
                remedy="set automountServiceAccountToken, or name a kubeconfig with --kubeconfig",
            )
    shown_host = f"[{host}]" if ":" in host else host
    return Access(f"https://{shown_host}:{port}", authority=authority, token=token)


def from_kubeconfig(path: Path) -> Access:
    """Give the access of a kubeconfig's current context: token or client certificate, CA.

    Raises:
        NotFound: there is no such file.
        BadInput: it is not a kubeconfig, or logs in in a way we do not know (exec, OIDC …).
    """
    config = _Config(path, _read(path))
    context = config.named("contexts", "context", config.text(config.root, "current-context"))
    cluster = config.named("clusters", "cluster", config.text(context, "cluster"))
    user = config.named("users", "user", config.text(context, "user"))
    if cluster.get("insecure-skip-tls-verify"):
        raise config.unusable("insecure-skip-tls-verify is set", "set certificate-authority")
    for how in _HOWS:
        if how in user:
            raise config.unusable(f"its user logs in by {how}", _LOG_IN)
    token = config.source(user, "tokenFile", "token", is_base64=False)
    access = Access(
        server=config.text(cluster, "server").rstrip("/"),
        authority=config.source(cluster, "certificate-authority"),
        token=token,
        certificate=config.source(user, "client-certificate"),
        key=config.source(user, "client-key"),
        server_name=cluster.get("tls-server-name", ""),
        proxy=cluster.get("proxy-url", ""),
    )
    if (access.certificate is None) != (access.key is None):
        raise config.unusable("it has a client certificate or key without the other", _LOG_IN)
    is_secret = token is not None or access.key is not None
    if not access.server.startswith("https://" if is_secret else ("https://", "http://")):
        raise config.unusable("its server is not an https:// address", "set https://HOST:PORT")
    return access


_LOG_IN = "use a user with token, tokenFile, or client-certificate and client-key"


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(
            f"cannot read the kubeconfig {path}: {error.strerror or error}",
            remedy="name a file we may read with --kubeconfig",
        ) from error
    try:
        # The text of a parser's error quotes the file, and the file is a secret.
        return yaml.safe_load(data[:_MAX_BYTES])
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"cannot use the kubeconfig {path}: it is not YAML") from error


@dataclass(frozen=True, slots=True)
class _Config:
    """A kubeconfig's content, checked as it is read."""

    path: Path
    root: Any = field(repr=False)

    def unusable(self, why: str, remedy: str = "correct the file") -> BadInput:
        return BadInput(f"cannot use the kubeconfig {self.path}: {why}", remedy=remedy)

    def text(self, holder: Any, key: str) -> str:
        value = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(value, str) or not value:
            raise self.unusable(f"{key} is not set")
        return value

    def named(self, plural: str, singular: str, name: str) -> dict[str, Any]:
        entries = self.root.get(plural)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("name") == name:
                value = entry.get(singular)
                if isinstance(value, dict):
                    return value
        raise self.unusable(f"it has no {singular} of the name it refers to")

    def source(
        self,
        holder: Mapping[str, Any],
        file_key: str,
        data_key: str = "",
        *,
        is_base64: bool = True,
    ) -> Source | None:
        key = data_key or f"{file_key}-data"
        data, file = holder.get(key), holder.get(file_key)
        if isinstance(data, str) and data:
            if not is_base64:
                return data.encode()
            try:
                return base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError) as error:
                raise self.unusable(f"{key} is not base64") from error
        if isinstance(file, str) and file:
            return self.path.parent / file
        return None
