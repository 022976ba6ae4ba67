"""Kubeconfigs whose user is a program: read here as kubectl reads them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.kube.client.access import connect
from planes.kube.resources import NAMESPACES
from planes.model.errors import BadInput
from tests.cluster.apiserver import ApiServer
from tests.cluster.lab.binaries import program
from tests.kube.client.credential_scripts import V1, Script, credential

EXEC = {
    "apiVersion": V1,
    "command": "./aws-login",
    "args": ["--user", "admin"],
    "env": [{"name": "SUFFIX", "value": "token"}],
    "interactiveMode": "IfAvailable",
    "provideClusterInfo": True,
}
EXTENSION = {"name": "client.authentication.k8s.io/exec", "extension": {"region": "north"}}


def write(api: ApiServer, folder: Path, copies: int = 1) -> Path:
    """Write a kubeconfig with two contexts; the user of `lab` is a program in its folder."""
    Script(folder).does(
        f'printf %s "$KUBERNETES_EXEC_INFO" > {folder}/info-$n\n'
        f"cat <<EOF\n{credential(token='$2-$SUFFIX')}\nEOF"
    )
    (folder / "ca.crt").write_bytes(api.ca_file.read_bytes())
    cluster = {
        "server": api.url,
        "certificate-authority": "ca.crt",
        "tls-server-name": "127.0.0.1",
        "extensions": [EXTENSION],
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"exec": EXEC}}] * copies,
        "contexts": [
            {"name": "lab", "context": {"cluster": "lab", "user": "admin"}},
            {"name": "nowhere", "context": {"cluster": "none", "user": "none"}},
        ],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return path


def kubectl(path: Path) -> subprocess.CompletedProcess[str]:
    command = [
        program("kubectl"),
        f"--kubeconfig={path}",
        f"--cache-dir={path.parent / 'kubectl'}",
        "--context=lab",
        "get",
        "--raw=/api/v1/namespaces/default",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


async def test_a_program_is_run_as_kubectl_runs_it(api_server: ApiServer, tmp_path: Path) -> None:
    path = write(api_server, tmp_path)
    done = kubectl(path)
    assert json.loads(done.stdout)["metadata"]["name"] == "default", done.stderr
    async with connect(path, user_agent="netplane-test/1", context="lab") as client:
        found = await client.get(NAMESPACES, "default")
    assert found["metadata"]["name"] == "default"
    assert Script(tmp_path).runs == 2
    theirs, ours = (without_nulls(tmp_path / f"info-{run}") for run in (1, 2))
    assert ours == theirs


def test_two_users_of_one_name_are_refused_as_kubectl_refuses_them(
    api_server: ApiServer, tmp_path: Path
) -> None:
    path = write(api_server, tmp_path, copies=2)
    assert "duplicate name" in kubectl(path).stderr
    with pytest.raises(BadInput, match="it has two users of one name"):
        connect(path, user_agent="netplane-test/1", context="lab")


def without_nulls(path: Path) -> Any:
    """Return the input of a run, without members that are null."""
    info = json.loads(path.read_text())
    info["spec"]["cluster"] = {
        name: value for name, value in info["spec"]["cluster"].items() if value is not None
    }
    return info
