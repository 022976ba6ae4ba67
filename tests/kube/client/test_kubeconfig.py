"""Kubeconfigs: their contexts, and users that log in by a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.kube.client.access import connect
from planes.kube.client.kubeconfig import from_kubeconfig
from planes.kube.resources import PODS
from planes.model.errors import BadInput
from tests.kube.client.credential_scripts import V1, Script
from tests.support.kube.scripted_api import ScriptedApi, says

POD = {"metadata": {"name": "web", "namespace": "shop"}}
EXEC = {"apiVersion": V1, "command": "./aws-login", "interactiveMode": "Never"}


def entries(kind: str, **values: Any) -> list[dict[str, Any]]:
    return [{"name": name, kind: value} for name, value in values.items()]


def write(folder: Path, **members: Any) -> Path:
    """Write a kubeconfig of two clusters; `members` replaces its top."""
    content = {
        "current-context": "here",
        "contexts": entries(
            "context", here={"cluster": "a", "user": "u"}, there={"cluster": "b", "user": "v"}
        ),
        "clusters": entries("cluster", a={"server": "https://a:1"}, b={"server": "https://b:2"}),
        "users": entries("user", u={"token": "of u"}, v={"token": "of v"}),
        **members,
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return path


def write_exec(folder: Path, cluster: Any = None, **spec: Any) -> Path:
    """Write one whose user logs in by `EXEC`, changed by `spec`."""
    user = {"exec": {**EXEC, **spec}}
    cluster = {"server": "https://a:1", **(cluster or {})}
    return write(folder, users=entries("user", u=user), clusters=entries("cluster", a=cluster))


def test_the_current_context_is_taken_unless_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert from_kubeconfig(path).server == "https://a:1"
    named = from_kubeconfig(path, context="there")
    assert (named.server, named.token) == ("https://b:2", b"of v")


def test_a_context_may_be_named_where_there_is_no_current_one(tmp_path: Path) -> None:
    path = write(tmp_path, **{"current-context": None})
    assert from_kubeconfig(path, context="there").server == "https://b:2"


def test_a_context_may_say_which_namespace_is_meant(tmp_path: Path) -> None:
    context = {"cluster": "a", "user": "u", "namespace": "shop"}
    path = write(tmp_path, contexts=entries("context", here=context, there={**context}))
    assert from_kubeconfig(path).namespace == "shop"
    assert from_kubeconfig(write(tmp_path)).namespace == ""


@pytest.mark.parametrize("name", ["a/b", "\x1b[31m", "a" * 64, 7, ["shop"]])
def test_a_context_whose_namespace_is_no_name_is_refused(tmp_path: Path, name: Any) -> None:
    context = {"cluster": "a", "user": "u", "namespace": name}
    with pytest.raises(BadInput, match="the namespace of its context is no name of one") as caught:
        from_kubeconfig(write(tmp_path, contexts=entries("context", here=context)))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, 'it has no context far; name one of its contexts: "here", "there"'),
        ({"contexts": None}, "it has no context far; name one of its contexts: it has none"),
        ({"contexts": [7, {"name": "far"}, {"context": {}}]}, "it has no context far"),
        (
            {"contexts": entries("context", far={"cluster": "a"}) * 2},
            "it has two contexts of one name",
        ),
        (
            {"contexts": entries("context", far={"cluster": "c", "user": "u"})},
            'it has no cluster "c", which',
        ),
        ({"contexts": entries("context", far={"cluster": "a", "user": "w"})}, 'it has no user "w"'),
    ],
)
def test_a_context_that_cannot_be_used_is_said(
    tmp_path: Path, members: dict[str, Any], why: str
) -> None:
    path = write(tmp_path, **members)
    with pytest.raises(BadInput) as caught:
        from_kubeconfig(path, context="far")
    assert str(caught.value).startswith(f"cannot use the kubeconfig {path}: {why}")


def test_a_context_without_a_kubeconfig_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot use the context far without a kubeconfig"):
        connect(None, user_agent="test", context="far")


def test_a_file_that_is_none_has_no_context(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("[]")
    with pytest.raises(BadInput, match="it has no context far"):
        from_kubeconfig(path, context="far")


def test_a_program_is_found_from_the_folder_of_the_file_or_in_path(tmp_path: Path) -> None:
    commands = {
        "./aws-login": f"{tmp_path}/aws-login",
        "bin/aws-login": f"{tmp_path}/bin/aws-login",
        "/opt/aws-login": "/opt/aws-login",
        "aws-login": "aws-login",
    }
    for command, found in commands.items():
        plugin = from_kubeconfig(write_exec(tmp_path, command=command)).plugin
        assert plugin is not None
        assert plugin.command == (found,)
        assert (plugin.name, plugin.cluster) == ("aws-login", None)


def test_a_program_in_the_folder_is_found_by_a_relative_path_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_exec(tmp_path)
    monkeypatch.chdir(tmp_path)
    plugin = from_kubeconfig(Path("config")).plugin
    assert plugin is not None
    assert plugin.command == (f"{tmp_path}/aws-login",)


def test_a_program_has_arguments_and_our_environment_with_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "kept")
    env = [{"name": "AWS_PROFILE", "value": "hunter2"}, {"name": "EMPTY", "value": ""}]
    access = from_kubeconfig(write_exec(tmp_path, args=["--token", "hunter3"], env=env))
    assert access.plugin is not None
    assert access.plugin.command[1:] == ("--token", "hunter3")
    found = {name: access.plugin.env[name] for name in ("OURS", "AWS_PROFILE", "EMPTY")}
    assert found == {"OURS": "kept", "AWS_PROFILE": "hunter2", "EMPTY": ""}
    assert "hunter" not in repr(access)


def test_a_program_that_asks_for_the_cluster_is_told_of_it(tmp_path: Path) -> None:
    more = {
        "tls-server-name": "kubernetes",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"a": 1}}],
    }
    plugin = from_kubeconfig(write_exec(tmp_path, more, provideClusterInfo=True)).plugin
    assert plugin is not None
    told = {"server": "https://a:1", "tls-server-name": "kubernetes", "config": {"a": 1}}
    assert plugin.cluster == told


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"command": ""}, "command is not set"),
        ({"command": 7}, "command is not set"),
        ({"apiVersion": None}, "the apiVersion of its exec is not known"),
        ({"apiVersion": ["hunter2"]}, "the apiVersion of its exec is not known"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "the apiVersion of its exec"),
        ({"args": "hunter2"}, "args of its exec is not a list of texts"),
        ({"args": ["hunter2", 7]}, "args of its exec is not a list of texts"),
        ({"env": {"TOKEN": "hunter2"}}, "env of its exec is not a list of name and value"),
        ({"env": [{"name": "TOKEN"}]}, "env of its exec is not a list of name and value"),
        ({"interactiveMode": "Always"}, "its exec asks at a terminal"),
    ],
)
def test_an_exec_that_cannot_be_used_is_said(
    tmp_path: Path, spec: dict[str, Any], why: str
) -> None:
    path = write_exec(tmp_path, **spec)
    with pytest.raises(BadInput) as caught:
        from_kubeconfig(path)
    assert str(caught.value).startswith(f"cannot use the kubeconfig {path}: {why}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("more", [{"token": "x"}, {"tokenFile": "x"}, {"auth-provider": {}}])
def test_an_exec_beside_another_way_to_log_in_is_refused(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    path = write(tmp_path, users=entries("user", u={"exec": EXEC, **more}))
    with pytest.raises(BadInput, match=r"logs in by (exec and in another way|auth-provider)"):
        from_kubeconfig(path)


@pytest.mark.parametrize("users", [{"exec": None}, {"exec": "aws"}])
def test_an_exec_that_is_no_mapping_is_said(tmp_path: Path, users: Any) -> None:
    path = write(tmp_path, users=entries("user", u=users))
    with pytest.raises(BadInput, match="command is not set"):
        from_kubeconfig(path)


def test_a_program_is_not_run_for_a_server_without_tls(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not an https:// address"):
        from_kubeconfig(write_exec(tmp_path, {"server": "http://a:1"}))


def test_below_the_root_of_a_node_a_program_is_refused(tmp_path: Path) -> None:
    path = write_exec(tmp_path)
    with pytest.raises(BadInput, match="its user logs in by exec, whose program is the node's"):
        from_kubeconfig(path, root="/host")


async def test_a_user_that_logs_in_by_a_program_reaches_the_server(
    api: ScriptedApi, tmp_path: Path
) -> None:
    Script(tmp_path).prints(token="token-$n")
    (tmp_path / "ca.crt").write_bytes(api.root.certificate.pem)
    cluster = {"server": api.access.server, "certificate-authority": "ca.crt"}
    api.then(says(POD))
    async with connect(write_exec(tmp_path, cluster), user_agent="test", context="here") as client:
        assert await client.get(PODS, "web", namespace="shop") == POD
    assert api.seen[0].headers["Authorization"] == "Bearer token-1"
