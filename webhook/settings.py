"""The webhook's settings, read once from flags, NETPLANE_… variables, a file, or defaults."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from planes.model.errors import BadInput
from planes.model.names import NETPLANE_NAMESPACE, is_dns_label, is_dns_subdomain
from planes.model.spec.nad_policy import NadPolicy
from planes.run.logs import LEVELS
from planes.run.nad_settings import NAD_OPTIONS, nad_policy
from planes.run.settings import CONFIG, Option, boolean, endpoint, load
from planes.run.values import level, seconds, texts

PROGRAM = "netplane-webhook"
_DESCRIPTION = (
    "Admission of pods to network planes, over TLS. Another command: netplane-webhook problems."
)
CERTIFICATES = ("self", "files")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(texts(text)))
    for name in names:
        if not _is_address(name) and not is_dns_subdomain(name):
            raise ValueError(f"{name!r} is neither a DNS name nor an address")
    return names


def _grace(text: str) -> float:
    return seconds(text, may_be_zero=True)


def _certificates_mode(text: str) -> str:
    if text not in CERTIFICATES:
        raise ValueError(f"{text!r} is none of {', '.join(CERTIFICATES)}")
    return text


def _label(text: str) -> str:
    if not is_dns_label(text):
        raise ValueError(f"{text!r} is no name of a namespace or service")
    return text


OPTIONS = (
    Option("--standalone", None, "directory of manifests to work from, without Kubernetes"),
    Option("--kubeconfig", None, "how to reach the API server; default: as a pod of the cluster"),
    Option("--namespace", NETPLANE_NAMESPACE, "where our Secret, Lease and Service are", _label),
    Option("--service", PROGRAM, "the Service that the API server calls us by", _label),
    Option("--pod", "", "name of this pod; default: the host's"),
    Option(
        "--certificates",
        "self",
        "on a cluster: self-managed in a Secret, or the files of --cert-dir",
        _certificates_mode,
    ),
    Option("--listen", "127.0.0.1:9443", "where to serve admission over TLS", endpoint),
    Option(
        "--cert-dir", None, "directory of ca.crt, tls.crt and tls.key; made with them if missing"
    ),
    Option(
        "--client-ca",
        None,
        "PEM file: only peers with a certificate of this CA are answered at --listen",
        metavar="FILE",
    ),
    Option("--cert-names", "", "more DNS names and addresses for the certificate, a,b,c", _names),
    Option("--state-dir", "/var/lib/netplane", "directory of status files and addresses"),
    Option("--metrics", None, "where to serve /metrics and probes over plain HTTP", endpoint),
    Option(
        "--namespace-isolation",
        "false",
        "a NAD serves pods of its own namespace only",
        boolean,
        is_switch=True,
    ),
    Option("--global-namespaces", "default", "whose NADs serve everybody under isolation", texts),
    *NAD_OPTIONS,
    Option("--drain-grace", "0", "seconds to go on taking requests after SIGTERM", _grace),
    Option("--log-level", "info", f"one of {', '.join(LEVELS)}", level),
    CONFIG,
)


@dataclass(frozen=True, slots=True)
class OnCluster:
    """The settings of a webhook on a cluster.

    Attributes:
        kubeconfig: None where it runs as a pod, with its service account.
        pod: the name of this replica's pod.
    """

    kubeconfig: Path | None
    namespace: str
    service: str
    pod: str


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """The webhook's settings.

    Attributes:
        manifests: the directory of standalone mode, None on a cluster.
        cluster: None in standalone mode.
        cert_dir: None where certificates are kept in a Secret.
        client_ca: file of the CAs whose client certificates are accepted; None accepts every peer.
        names: names of the certificate: the address listened on, this host, and names from the
            settings; on a cluster only the latter, as the Service's names are always added.
        namespace_isolation, global_namespaces: the daemon must have the same, to decide alike.
        nad_policy: what NADs of tenants may be; the daemon must have the same.
        drain_grace: seconds between becoming unready and accepting no more connections.
    """

    manifests: Path | None
    cluster: OnCluster | None
    listen: tuple[str, int]
    cert_dir: Path | None
    client_ca: Path | None
    names: tuple[str, ...]
    state_dir: Path
    metrics: tuple[str, int] | None
    namespace_isolation: bool
    global_namespaces: tuple[str, ...]
    nad_policy: NadPolicy
    drain_grace: float
    log_level: str


def read(argv: Sequence[str], env: Mapping[str, str]) -> WebhookSettings:
    """Read the settings.

    Raises:
        BadInput: a directory or file is missing, or what is asked for does not go together.
        SystemExit: 2 after one line where a flag, variable or file is wrong.
    """
    values = load(PROGRAM, OPTIONS, argv, env, description=_DESCRIPTION)
    is_alone = bool(values["standalone"])
    wanted = "a directory of manifests: planes, namespaces"
    return WebhookSettings(
        manifests=_directory(values, "standalone", wanted) if is_alone else None,
        cluster=None if is_alone else _cluster(values),
        listen=values["listen"],
        cert_dir=_certificates(values) if is_alone else _cluster_certificates(values),
        client_ca=Path(values["client_ca"]) if values["client_ca"] else None,
        names=_all_names(values["listen"][0], values["cert_names"])
        if is_alone
        else values["cert_names"],
        state_dir=Path(values["state_dir"]),
        metrics=values["metrics"],
        namespace_isolation=values["namespace_isolation"],
        global_namespaces=values["global_namespaces"],
        nad_policy=nad_policy(values, is_standalone=is_alone),
        drain_grace=values["drain_grace"],
        log_level=values["log_level"],
    )


def _cluster(values: Mapping[str, Any]) -> OnCluster:
    return OnCluster(
        kubeconfig=Path(values["kubeconfig"]) if values["kubeconfig"] else None,
        namespace=values["namespace"],
        service=values["service"],
        pod=values["pod"] or socket.gethostname().lower(),
    )


def _cluster_certificates(values: Mapping[str, Any]) -> Path | None:
    if values["certificates"] == "files":
        return _directory(values, "cert_dir", "the directory with tls.crt, tls.key and ca.crt")
    if values["cert_dir"]:
        raise BadInput(
            "cannot use --cert-dir: on a cluster certificates are kept in a Secret",
            remedy="give --certificates files, or --standalone DIR on a single machine",
        )
    return None


def _certificates(values: Mapping[str, Any]) -> Path:
    """Return the certificate directory, created where only it is missing, for this user alone."""
    path = Path(values["cert_dir"] or "")
    if values["cert_dir"] and not path.exists() and path.absolute().parent.is_dir():
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            raise BadInput(
                f"cannot make --cert-dir {path}: {error.strerror}",
                remedy="name a directory that may be written",
            ) from error
    return _directory(values, "cert_dir", "a directory, empty or with a certificate")


def _directory(values: Mapping[str, Any], key: str, wanted: str) -> Path:
    flag = f"--{key.replace('_', '-')}"
    if not values[key]:
        raise BadInput(f"cannot start without {flag} DIR", remedy=f"name {wanted}")
    path = Path(values[key])
    if not path.is_dir():
        reason = "it is no directory" if path.exists() else "it does not exist"
        raise BadInput(f"cannot use {flag} {path}: {reason}", remedy=f"name {wanted}")
    return path


def _all_names(host: str, more: tuple[str, ...]) -> tuple[str, ...]:
    own = socket.gethostname().lower()
    listened = [host] if _is_address(host) and not ip_address(host).is_unspecified else []
    listened += [host] if host and not _is_address(host) else []
    local = ["localhost", "127.0.0.1", "::1", *([own] if is_dns_subdomain(own) else [])]
    return tuple(dict.fromkeys((*more, *listened, *local)))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
