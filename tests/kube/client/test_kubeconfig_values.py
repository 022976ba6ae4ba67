"""Values of a kubeconfig that cannot be used are said, and those by which a user is another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from planes.kube.client.access import connect
from planes.kube.client.impersonation import impersonation_headers
from planes.kube.client.kubeconfig import from_kubeconfig
from planes.kube.client.server_url import url_fault
from planes.kube.resources import PODS
from planes.model.errors import BadInput, Unavailable
from tests.support.kube.scripted_api import ScriptedApi, says

POD = {"metadata": {"name": "web", "namespace": "shop"}}


def write(folder: Path, cluster: dict[str, Any], user: dict[str, Any] | None = None) -> Path:
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://a:1", **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ({"server": "https://["}, "its server is no address that can be read"),
        ({"server": "https://a:99999"}, "its server is no address that can be read"),
        ({"server": "https://a:api"}, "its server is no address that can be read"),
        ({"server": "https://a b"}, "its server is no address that can be read"),
        ({"server": "https://:1"}, "its server is no address that can be read"),
        ({"server": "https://jane:hunter2@a"}, "its server has a login in it"),
        ({"proxy-url": "socks5://p:1"}, "its proxy-url is not an http:// or https:// address"),
        ({"proxy-url": "p"}, "its proxy-url is not an http:// or https:// address"),
        ({"proxy-url": "http://jane:hunter2@["}, "its proxy-url is no address that can be read"),
        ({"proxy-url": 5}, "proxy-url is not a text"),
        ({"tls-server-name": 5}, "tls-server-name is not a text"),
        ({"certificate-authority": ["ca"]}, "certificate-authority is not a text"),
    ],
)
def test_a_value_of_a_cluster_that_cannot_be_used_is_said(
    tmp_path: Path, cluster: dict[str, Any], why: str
) -> None:
    path = write(tmp_path, cluster)
    with pytest.raises(BadInput) as caught:
        from_kubeconfig(path)
    assert str(caught.value).startswith(f"cannot use the kubeconfig {path}: {why}; ")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"token": 5}, "token is not a text"),
        ({"tokenFile": {}}, "tokenFile is not a text"),
        ({"client-key": 5}, "client-key is not a text"),
        ({"as": ["jane"]}, "as has what is not a text"),
        ({"as": "jane", "as-groups": "dev"}, "as-groups is not a list of texts"),
        ({"as": "jane", "as-groups": [5]}, "as-groups has what is not a text"),
        ({"as": "jane", "as-user-extra": ["dev"]}, "as-user-extra is not a mapping"),
        ({"as": "jane\r\nX: y"}, "its user acts as one whose name is no printable text"),
        ({"as-groups": ["dev"]}, "its user has groups of another user, whom it does not name"),
    ],
)
def test_a_value_of_a_user_that_cannot_be_used_is_said(
    tmp_path: Path, user: dict[str, Any], why: str
) -> None:
    path = write(tmp_path, {}, user)
    with pytest.raises(BadInput) as caught:
        from_kubeconfig(path)
    assert str(caught.value).startswith(f"cannot use the kubeconfig {path}: {why}")


def test_a_proxy_may_have_a_login(tmp_path: Path) -> None:
    path = write(tmp_path, {"proxy-url": "http://jane:hunter2@p:3128"})
    assert from_kubeconfig(path).proxy == "http://jane:hunter2@p:3128"


def test_a_file_that_nests_too_deep_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("a: " + "[" * 20_000)
    with pytest.raises(BadInput, match="it nests too deep"):
        from_kubeconfig(path)


@given(st.text(max_size=40))
def test_any_url_is_judged(text: str) -> None:
    url_fault(f"https://{text}", allows_login=False)


async def test_a_user_acts_as_the_one_that_its_kubeconfig_names(
    api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(api.root.certificate.pem)
    cluster = {"server": api.access.server, "certificate-authority": "ca.crt"}
    user = {
        "token": "t",
        "as": "jane",
        "as-uid": "7",
        "as-groups": ["dev", "ops"],
        "as-user-extra": {"Example.com/a%b": ["x", "y"]},
    }
    api.then(says(POD))
    async with connect(write(tmp_path, cluster, user), user_agent="test") as client:
        assert await client.get(PODS, "web", namespace="shop") == POD
    headers = api.seen[0].headers
    assert headers["Authorization"] == "Bearer t"
    assert [(name, text) for name, text in headers.items() if name.startswith("Imp")] == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-example.com%2Fa%25b", "x"),
        ("Impersonate-Extra-example.com%2Fa%25b", "y"),
    ]


def test_a_user_that_names_nobody_else_acts_as_itself() -> None:
    assert impersonation_headers({"token": "t", "as": "", "as-groups": []}) == ()


async def test_a_certificate_of_another_name_is_said_with_what_mends_it(
    api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(api.root.certificate.pem)
    cluster = {"certificate-authority": "ca.crt", "tls-server-name": "other.example"}
    path = write(tmp_path, {"server": api.access.server, **cluster})
    async with connect(path, user_agent="test") as client:
        with pytest.raises(Unavailable) as caught:
            await client.get(PODS, "web", namespace="shop")
    assert "is not trusted: Hostname mismatch" in caught.value.message
    assert "_ssl.c" not in caught.value.message
    assert caught.value.remedy.startswith("check certificate-authority and tls-server-name")
