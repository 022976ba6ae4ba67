"""A real API server that shows its certificate is answered by a webhook that takes nobody else."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.apiserver import ApiServer, Options
from tests.cluster.installed_webhook import MEMBER, NETWORKS, PLANE, Installed, namespace, pod
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing


def authority(folder: Path) -> None:
    """Make the CA and the API server's certificate, by the commands of docs/cluster.md."""
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for command in (
        f"req -x509 {curve} -days 3650 -subj /CN=netplane-clients"
        " -keyout clients-ca.key -out clients-ca.crt",
        f"req {curve} -subj /CN=kube-apiserver"
        " -keyout apiserver-netplane.key -out apiserver-netplane.csr",
        "x509 -req -days 365 -in apiserver-netplane.csr -CA clients-ca.crt -CAkey clients-ca.key"
        " -out apiserver-netplane.crt",
    ):
        argv = ["openssl", *command.split()]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def admission_configuration(folder: Path, user: str) -> None:
    """Write what the API server reads at its start."""
    certificate = {
        "client-certificate": str(folder / "apiserver-netplane.crt"),
        "client-key": str(folder / "apiserver-netplane.key"),
    }
    users = [{"name": user, "user": certificate}]
    kubeconfig = {"apiVersion": "v1", "kind": "Config", "users": users}
    (folder / "webhooks.kubeconfig").write_text(json.dumps(kubeconfig))
    plugins = [
        {
            "name": f"{name}AdmissionWebhook",
            "configuration": {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "WebhookAdmissionConfiguration",
                "kubeConfigFile": str(folder / "webhooks.kubeconfig"),
            },
        }
        for name in ("Mutating", "Validating")
    ]
    whole = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins,
    }
    (folder / "admission.yaml").write_text(json.dumps(whole))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="netplane-ca-"))
    authority(folder)
    flags = (f"--admission-control-config-file={folder / 'admission.yaml'}",)
    server = ApiServer(folder / "api", Options(flags=flags))
    made = Installed(server)
    # A Service's user has the Service's name; here a URL stands in for it, with its port.
    admission_configuration(folder, f"127.0.0.1:{made.port}")
    monkeypatch.setenv("NETPLANE_CLIENT_CA", str(folder / "clients-ca.crt"))
    try:
        server.start()
        made.install()
        server.apply(PLANE)
        made.start()
        made.ready()
        yield made
    finally:
        made.stop()
        server.stop()
        shutil.rmtree(folder)


@pytest.mark.timeout(180)
def test_peer_without_a_certificate_is_refused_and_the_api_server_is_answered(
    installed: Installed,
) -> None:
    server = installed.server
    server.apply(namespace("shop", **MEMBER))
    server.kubectl("create", "-f", "-", text=json.dumps(pod("web", "shop")))
    annotations = server.get("pod", "web", "-n", "shop")["metadata"]["annotations"]
    assert "business" in annotations[NETWORKS]
    assert installed.calls() >= 2
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    before = installed.calls()
    for path in ("/readyz", "/mutate/pods"):
        url = f"https://127.0.0.1:{installed.port}{path}"
        with pytest.raises((OSError, urllib.error.URLError)):
            urllib.request.urlopen(url, timeout=5, context=anybody)
    assert installed.calls() == before
