"""The API server's address and credentials, from a pod's own account and from a kubeconfig."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.kube.client.access import connect, in_cluster
from planes.kube.client.kubeconfig import from_kubeconfig
from planes.kube.resources import PODS
from planes.model.errors import BadInput, NotFound
from tests.support.kube.scripted_api import says, scripted_api

POD = {"metadata": {"name": "web", "namespace": "shop"}}
SERVICE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("of the account")
    (folder / "ca.crt").write_text("a certificate")
    return folder


def write(path: Path, *, cluster: Any = None, user: Any = None, **more: Any) -> Path:
    """Write a kubeconfig; `more` replaces members at its top."""
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster or {"server": "https://api:6443/"}}],
        "users": [{"name": "u", "user": user if user is not None else {"token": "hunter2"}}],
        **more,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_pod_has_its_accounts_files(account: Path) -> None:
    access = in_cluster(SERVICE, account)
    assert access.server == "https://10.96.0.1:443"
    assert (access.token, access.authority) == (account / "token", account / "ca.crt")


@pytest.mark.parametrize(
    ("content", "namespace"), [(b"shop\n", "shop"), (b"a/b", ""), (b"x" * 4096, ""), (b"\xff", "")]
)
def test_a_pods_account_is_of_its_namespace(account: Path, content: bytes, namespace: str) -> None:
    assert in_cluster(SERVICE, account).namespace == ""
    (account / "namespace").write_bytes(content)
    assert in_cluster(SERVICE, account).namespace == namespace


def test_an_ipv6_service_is_bracketed(account: Path) -> None:
    env = {**SERVICE, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert in_cluster(env, account).server == "https://[fd00::1]:443"


@pytest.mark.parametrize("missing", list(SERVICE))
def test_outside_of_a_pod_it_says_what_to_do(account: Path, missing: str) -> None:
    env = {**SERVICE, missing: ""}
    with pytest.raises(NotFound, match="--kubeconfig"):
        connect(None, user_agent="test", env=env, account=account)


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_a_pod_without_account_is_told_which_file_is_missing(account: Path, missing: str) -> None:
    (account / missing).unlink()
    with pytest.raises(NotFound, match=f"there is no .*/{missing}; set automount"):
        in_cluster(SERVICE, account)


async def test_a_pods_account_reaches_the_server(tmp_path: Path, account: Path) -> None:
    async with scripted_api(tmp_path) as api:
        (account / "ca.crt").write_bytes(api.root.certificate.pem)
        env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
        api.then(says(POD))
        async with connect(None, user_agent="test", env=env, account=account) as client:
            assert await client.get(PODS, "web", namespace="shop") == POD
        assert api.seen[0].headers["Authorization"] == "Bearer of the account"


async def test_a_kubeconfig_with_a_client_certificate_reaches_the_server(tmp_path: Path) -> None:
    async with scripted_api(tmp_path) as api:
        pem = (tmp_path / "server.pem").read_bytes()
        chain, key = pem.split(b"-----BEGIN PRIVATE KEY", 1)
        user = {
            "client-certificate-data": base64.b64encode(chain).decode(),
            "client-key-data": base64.b64encode(b"-----BEGIN PRIVATE KEY" + key).decode(),
        }
        cluster = {"server": api.access.server, "certificate-authority": "ca.crt"}
        (tmp_path / "ca.crt").write_bytes(api.root.certificate.pem)
        api.then(says(POD))
        path = write(tmp_path / "config", cluster=cluster, user=user)
        async with connect(path, user_agent="test") as client:
            assert await client.get(PODS, "web", namespace="shop") == POD


def test_files_of_a_kubeconfig_are_found_from_its_folder(tmp_path: Path) -> None:
    cluster = {
        "server": "https://api:6443",
        "certificate-authority": "pki/ca.crt",
        "tls-server-name": "kubernetes",
        "proxy-url": "http://proxy:3128",
    }
    path = write(tmp_path / "config", cluster=cluster, user={"tokenFile": "/run/token"})
    access = from_kubeconfig(path)
    assert (access.token, access.authority) == (Path("/run/token"), tmp_path / "pki/ca.crt")
    assert (access.server_name, access.proxy) == ("kubernetes", "http://proxy:3128")


def test_what_is_given_inline_is_taken_before_files(tmp_path: Path) -> None:
    user = {"token": "inline", "tokenFile": "/run/token"}
    assert from_kubeconfig(write(tmp_path / "config", user=user)).token == b"inline"


def test_there_may_be_no_login_at_all(tmp_path: Path) -> None:
    access = from_kubeconfig(
        write(tmp_path / "config", cluster={"server": "http://127.0.0.1:8001"}, user={})
    )
    assert (access.token, access.key) == (None, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"current-context": ""}, "current-context is not set"),
        ({"contexts": None}, 'it has no context "here", which current-context names'),
        ({"clusters": [{"name": "c"}]}, 'it has no cluster "c", which its context names'),
        ({"users": "u"}, 'it has no user "u", which its context names'),
        ({"cluster": {"server": ""}}, "server is not set"),
        ({"cluster": {"server": "http://api"}}, "not an https:// address"),
        ({"cluster": {"server": "ftp://api"}, "user": {}}, "not an https:// address"),
        (
            {"cluster": {"server": "https://a", "insecure-skip-tls-verify": True}},
            "insecure-skip-tls-verify is set",
        ),
        ({"user": {"exec": {"args": ["hunter2"]}}}, "command is not set"),
        ({"user": {"auth-provider": {"name": "oidc"}}}, "logs in by auth-provider"),
        ({"user": {"client-key": "key"}}, "certificate or key without the other"),
        ({"user": {"client-key-data": "%%hunter2"}}, "client-key-data is not base64"),
    ],
)
def test_a_kubeconfig_we_cannot_use_is_said_without_its_secrets(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    path = write(tmp_path / "config", **changes)
    with pytest.raises(BadInput) as caught:
        from_kubeconfig(path)
    assert str(caught.value).startswith(f"cannot use the kubeconfig {path}: ")
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"hunter2: [", b"\x00", b"\xff\xfe"])
def test_what_is_no_kubeconfig_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        from_kubeconfig(path)
    assert "hunter2" not in str(caught.value)


def test_a_kubeconfig_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        connect(tmp_path / "config", user_agent="test")
