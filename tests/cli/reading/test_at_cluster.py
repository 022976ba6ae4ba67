"""How a command finds its API server, and what a user is told where it gives no answer."""

from __future__ import annotations

import argparse
import asyncio
import io
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.cli.command import Context
from planes.cli.console import Console
from planes.cli.reading.place import CLUSTER_OPTIONS, at_cluster
from planes.kube.resources import PLANES
from planes.model.errors import NotFound, PlanesError, Unavailable
from planes.run.clock import Clock
from planes.run.settings import Parser, add_arguments, resolve
from tests.kube.client.credential_scripts import V1, Script
from tests.support.command_line import netplane
from tests.support.kube.scripted_api import ScriptedApi, refuses, says, scripted_api, streams

PLANE = {"metadata": {"name": "business"}}
FORBIDDEN = (
    'planes.netplane.io "business" is forbidden: User "jane" cannot get resource "planes" '
    'in API group "netplane.io" at the cluster scope'
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    (tmp_path / "server").mkdir()
    async with scripted_api(tmp_path / "server") as server:
        yield server


def context_of(*argv: str, env: Mapping[str, str] | None = None) -> tuple[Context, io.StringIO]:
    parser = Parser(prog="test")
    add_arguments(parser, CLUSTER_OPTIONS)
    given: argparse.Namespace = parser.parse_args(argv)
    stderr = io.StringIO()
    settings = resolve(CLUSTER_OPTIONS, vars(given), env or {})
    return Context(settings, given, env or {}, Console(io.StringIO(), stderr, {})), stderr


async def ask(context: Context) -> Any:
    """Ask for a plane as a command does: in a thread, as the server is in this loop."""
    return await asyncio.to_thread(
        at_cluster, context, lambda api, _clock: api.get(PLANES, "business")
    )


def write(path: Path, **members: Any) -> Path:
    """Write a kubeconfig; a member is a text, or the entries of one kind by name."""
    lists = {
        f"{kind}s": [{"name": name, kind: value} for name, value in entries.items()]
        for kind, entries in members.items()
        if isinstance(entries, dict)
    }
    rest = {key: value for key, value in members.items() if not isinstance(value, dict)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({**lists, **{k.replace("_", "-"): v for k, v in rest.items()}}))
    return path


def whole(folder: Path, api: ScriptedApi, user: Mapping[str, Any] | None = None) -> Path:
    (folder / "ca.crt").write_bytes(api.root.certificate.pem)
    return write(
        folder / "config",
        current_context="here",
        context={"here": {"cluster": "c", "user": "u"}},
        cluster={"c": {"server": api.access.server, "certificate-authority": "ca.crt"}},
        user={"u": user or {"token": "t"}},
    )


async def test_files_of_the_variable_count_as_one(api: ScriptedApi, tmp_path: Path) -> None:
    """The context is in one file, its cluster in another with a relative path, its user in both."""
    first = write(
        tmp_path / "contexts",
        current_context="here",
        context={"here": {"cluster": "c", "user": "u"}},
        user={"u": {"token": "first"}},
    )
    second = tmp_path / "clusters" / "config"
    write(
        second,
        current_context="other",
        cluster={"c": {"server": api.access.server, "certificate-authority": "ca.crt"}},
        user={"u": {"token": "second", "client-key": "/nowhere"}},
    )
    (second.parent / "ca.crt").write_bytes(api.root.certificate.pem)
    api.then(says(PLANE))
    context, stderr = context_of(env={"KUBECONFIG": f"{first}:{tmp_path}/none::{second}"})
    assert await ask(context) == PLANE
    assert api.seen[0].headers["Authorization"] == "Bearer first"
    assert f"there is no kubeconfig {tmp_path}/none" in stderr.getvalue()


async def test_the_option_counts_more_than_the_variable(api: ScriptedApi, tmp_path: Path) -> None:
    api.then(says(PLANE))
    file = whole(tmp_path, api)
    context, _ = context_of("--kubeconfig", str(file), env={"KUBECONFIG": "/nowhere"})
    assert await ask(context) == PLANE


async def test_the_file_of_the_home_directory_is_read_without_either(
    api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / ".kube").mkdir()
    whole(tmp_path / ".kube", api)
    api.then(says(PLANE))
    context, _ = context_of(env={"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert await ask(context) == PLANE


async def test_a_pod_without_kubeconfig_uses_its_own_account(tmp_path: Path) -> None:
    """Here that has no token: the text says so, and not that a kubeconfig is missing."""
    pod = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    context, _ = context_of(env={"HOME": str(tmp_path), **pod})
    with pytest.raises(NotFound, match="serviceaccount/token") as caught:
        await ask(context)
    assert "or name a kubeconfig" in caught.value.remedy


async def test_a_user_may_log_in_by_a_program(api: ScriptedApi, tmp_path: Path) -> None:
    Script(tmp_path).prints(token="of-the-program")
    user = {"exec": {"apiVersion": V1, "command": "./aws-login", "interactiveMode": "Never"}}
    api.then(says(PLANE))
    context, _ = context_of("--kubeconfig", str(whole(tmp_path, api, user)))
    assert await ask(context) == PLANE
    assert api.seen[0].headers["Authorization"] == "Bearer of-the-program"


async def test_a_restricted_user_is_told_which_right_is_missing(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.then(refuses(403, "Forbidden", FORBIDDEN))
    context, _ = context_of("--kubeconfig", str(whole(tmp_path, api)))
    with pytest.raises(PlanesError) as caught:
        await ask(context)
    assert caught.value.remedy.splitlines() == [
        "the right to get planes.netplane.io is missing; an administrator gives it:",
        "kubectl create clusterrole netplane-read-planes --verb=get,list "
        "--resource=planes.netplane.io",
        "kubectl create clusterrolebinding netplane-read-planes "
        "--clusterrole=netplane-read-planes --user=jane",
    ]


async def test_a_server_that_never_answers_is_given_up(api: ScriptedApi, tmp_path: Path) -> None:
    """Connections are taken, and then nothing comes, as from a machine that hangs."""
    file = whole(tmp_path, api)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        file.write_text(file.read_text().replace(str(api.port), str(port)))
        context, _ = context_of("--kubeconfig", str(file), "--request-timeout", "1")
        with pytest.raises(Unavailable) as caught:
            await ask(context)
    assert "within 1 s" in caught.value.message
    assert f"127.0.0.1:{port}" in caught.value.message


async def test_a_server_that_refuses_connections_is_named(api: ScriptedApi, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else takes the port
        file = whole(tmp_path, api)
        port = closed.getsockname()[1]
        file.write_text(file.read_text().replace(str(api.port), str(port)))
        context, _ = context_of("--kubeconfig", str(file))
        with pytest.raises(
            Unavailable, match=f"no connection to 127.0.0.1:{port}: Connection refused"
        ):
            await ask(context)


async def test_a_program_that_does_not_log_in_is_named_and_not_the_server(
    api: ScriptedApi, tmp_path: Path
) -> None:
    script = Script(tmp_path)
    script.does("exec sleep 60")
    user = {"exec": {"apiVersion": V1, "command": "./aws-login", "interactiveMode": "Never"}}
    file = whole(tmp_path, api, user)
    context, _ = context_of("--kubeconfig", str(file), "--request-timeout", "1")
    with pytest.raises(Unavailable) as caught:
        await ask(context)
    assert "the credential plugin aws-login did not end within 1 s" in caught.value.message
    words = ("dump", "--kubeconfig", str(file), "--request-timeout", "1")
    dumped = await asyncio.to_thread(netplane, *words)
    assert "the credential plugin aws-login did not end within 1 s" in dumped.err
    assert not api.seen


async def test_a_thread_that_hangs_does_not_delay_the_end(api: ScriptedApi, tmp_path: Path) -> None:
    """The look-up of a name in DNS cannot be stopped, and takes as long as the system likes."""
    ended = threading.Event()
    context, _ = context_of("--kubeconfig", str(whole(tmp_path, api)), "--request-timeout", "1")

    async def look_up(_api: object, _clock: object) -> None:
        await asyncio.to_thread(ended.wait)

    try:
        with pytest.raises(Unavailable, match="within 1 s"):
            await asyncio.to_thread(at_cluster, context, look_up)
    finally:
        ended.set()


def test_who_has_neither_a_kubeconfig_nor_a_cluster_is_told_both_ways(tmp_path: Path) -> None:
    outcome = netplane("ip", "show", env={"HOME": str(tmp_path)})
    assert outcome.status == 1
    assert f"there is no kubeconfig {tmp_path}/.kube/config" in outcome.err
    assert "name a kubeconfig with --kubeconfig" in outcome.err
    assert "or the directory of one machine with --manifests" in outcome.err
    outcome = netplane("ip", "release", "--node", "n1", env={"HOME": str(tmp_path)})
    assert "there is no kubeconfig" in outcome.err
    assert "--manifests" not in outcome.err


async def test_time_that_a_command_waits_on_purpose_does_not_count(
    api: ScriptedApi, tmp_path: Path
) -> None:
    async def work(_: object, clock: Clock) -> str:
        await clock.sleep(1.2)
        return "done"

    context, _ = context_of("--kubeconfig", str(whole(tmp_path, api)), "--request-timeout", "1")
    assert await asyncio.to_thread(at_cluster, context, work) == "done"


async def test_one_answer_is_waited_for_no_longer_where_the_work_may_take_any_time(
    api: ScriptedApi, tmp_path: Path
) -> None:
    api.then(streams(60.0))
    context, _ = context_of("--kubeconfig", str(whole(tmp_path, api)), "--request-timeout", "1")
    with pytest.raises(Unavailable, match="the answer stopped half-way"):
        await asyncio.to_thread(
            at_cluster, context, lambda client, _: client.get(PLANES, "business"), waits=True
        )
