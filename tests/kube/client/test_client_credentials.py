"""The client's credentials: tokens and certificates that change on disk."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from planes.kube.api import Kind, Query
from planes.kube.client.credentials import TOKEN_SECONDS, Access, Credentials
from planes.kube.client.request import RequestLimits
from planes.kube.errors import Unauthenticated
from planes.kube.resources import PODS
from planes.model.errors import BadInput, Unavailable
from planes.run.clock import SystemClock
from tests.support.certificates import current, make_root
from tests.support.clock import FakeClock
from tests.support.kube.scripted_api import (
    ScriptedApi,
    client_of,
    event,
    refuses,
    says,
    streams,
)

POD = {"metadata": {"name": "web", "namespace": "shop"}}


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


def shown(api: ScriptedApi) -> list[str]:
    return [seen.headers.get("Authorization", "") for seen in api.seen]


async def test_a_rotated_token_is_shown_a_minute_later_at_most(
    api: ScriptedApi, token: Path
) -> None:
    clock = FakeClock()
    api.then(*[says(POD)] * 3)
    async with client_of(api, replace(api.access, token=token), clock=clock) as client:
        await client.get(PODS, "web", namespace="shop")
        token.write_text("second")
        clock.advance(TOKEN_SECONDS - 1)
        await client.get(PODS, "web", namespace="shop")
        clock.advance(1)
        await client.get(PODS, "web", namespace="shop")
    assert shown(api) == ["Bearer first", "Bearer first", "Bearer second"]


async def test_a_401_has_the_token_read_again_at_once(api: ScriptedApi, token: Path) -> None:
    api.then(says(POD), refuses(401, "Unauthorized"), says(POD))
    async with client_of(api, replace(api.access, token=token)) as client:
        await client.get(PODS, "web", namespace="shop")
        token.write_text("second")
        assert await client.patch(PODS, "web", {}, namespace="shop") == POD
    assert shown(api) == ["Bearer first", "Bearer first", "Bearer second"]


async def test_all_who_were_refused_go_on_with_the_new_token(api: ScriptedApi, token: Path) -> None:
    both = asyncio.Barrier(2)

    async def refused(request: web.Request) -> web.StreamResponse:
        await both.wait()
        return await refuses(401, "Unauthorized")(request)

    api.then(says(POD), refused, refused, says(POD), says(POD))
    async with client_of(api, replace(api.access, token=token)) as client:
        await client.get(PODS, "web", namespace="shop")
        token.write_text("second")
        await asyncio.gather(*[client.get(PODS, "web", namespace="shop") for _ in range(2)])
    assert shown(api) == ["Bearer first"] * 3 + ["Bearer second"] * 2


async def test_a_401_that_no_new_token_helps_is_told_after_one_try(
    api: ScriptedApi, token: Path
) -> None:
    api.then(refuses(401, "Unauthorized"))
    async with client_of(api, replace(api.access, token=token)) as client:
        with pytest.raises(Unauthenticated) as caught:
            await client.get(PODS, "web", namespace="shop")
    assert caught.value.message == "cannot get Pod shop/web: Unauthorized"
    assert len(api.seen) == 1


async def test_a_watch_that_was_refused_goes_on_at_once_with_a_new_token(
    api: ScriptedApi, token: Path
) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        token.write_text("second")
        return await refuses(401, "Unauthorized")(request)

    api.then(refused, streams(event("ADDED", {**POD, "kind": "Pod"})))
    async with (
        client_of(api, replace(api.access, token=token)) as client,
        aclosing(client.watch(Query(PODS), "5")) as changes,
    ):
        assert (await anext(changes)).kind is Kind.ADDED
    assert shown(api) == ["Bearer first", "Bearer second"]


async def test_a_watch_that_no_new_token_helps_is_refused_once(
    api: ScriptedApi, token: Path
) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        token.write_text(f"token {len(api.seen)}")
        return await refuses(401, "Unauthorized")(request)

    api.then(refused, refused)
    async with client_of(api, replace(api.access, token=token)) as client:
        with pytest.raises(Unauthenticated):
            await anext(client.watch(Query(PODS), "5"))
    assert len(api.seen) == 2


@pytest.mark.parametrize("content", [None, b"", b"a\nb", b"\xff\xfe"])
async def test_while_the_file_holds_no_token_the_last_one_is_shown(
    token: Path, content: bytes | None
) -> None:
    clock = FakeClock()
    credentials = Credentials(Access("https://api", token=token), clock)
    assert await credentials.token() == "first"
    token.unlink()
    if content is not None:
        token.write_bytes(content)
    clock.advance(TOKEN_SECONDS)
    assert await credentials.token() == "first"


async def test_without_any_token_yet_it_says_which_file_is_missing(token: Path) -> None:
    token.unlink()
    credentials = Credentials(Access("https://api", token=token), FakeClock())
    with pytest.raises(Unavailable, match=r"^cannot read .*/token: No such file"):
        await credentials.token()


async def test_no_secret_shows_in_a_repr() -> None:
    access = Access("https://api", token=b"hunter2", key=b"hunter3", certificate=b"hunter4")
    material = await Credentials(access, FakeClock()).material()
    assert "hunter" not in f"{access!r} {material!r}"


async def test_a_ca_that_was_replaced_is_read_when_the_server_shows_the_new_one(
    api: ScriptedApi, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(make_root(current()).certificate.pem)
    api.then(says(POD), says(POD))
    async with client_of(api, replace(api.access, authority=authority)) as client:
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            await client.get(PODS, "web", namespace="shop")
        authority.write_bytes(api.root.certificate.pem)
        assert await client.get(PODS, "web", namespace="shop") == POD


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nMIIB"])
async def test_a_ca_that_is_half_written_takes_nothing_from_the_connections_we_have(
    api: ScriptedApi, tmp_path: Path, content: bytes
) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(api.root.certificate.pem)
    api.then(says(POD), refuses(401, "Unauthorized"), says(POD), says(POD))
    async with client_of(api, replace(api.access, authority=authority)) as client:
        await client.get(PODS, "web", namespace="shop")
        authority.write_bytes(content)
        for _ in range(2):
            assert await client.get(PODS, "web", namespace="shop") == POD


async def test_a_ca_that_is_half_written_at_first_is_read_again(
    api: ScriptedApi, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(b"")
    api.then(says(POD))
    async with client_of(api, replace(api.access, authority=authority)) as client:
        with pytest.raises(BadInput, match="cannot set up TLS"):
            await client.get(PODS, "web", namespace="shop")
        authority.write_bytes(api.root.certificate.pem)
        assert await client.get(PODS, "web", namespace="shop") == POD


async def test_a_ca_that_is_none_is_said(api: ScriptedApi) -> None:
    async with client_of(api, replace(api.access, authority=b"no certificate")) as client:
        with pytest.raises(BadInput, match="cannot set up TLS"):
            await client.get(PODS, "web", namespace="shop")


async def test_the_name_of_the_certificate_may_be_given(api: ScriptedApi) -> None:
    api.then(says(POD))
    access = replace(api.access, server_name="localhost")
    async with client_of(api, access) as client:
        assert await client.get(PODS, "web", namespace="shop") == POD
    async with client_of(api, replace(access, server_name="other.example")) as client:
        with pytest.raises(Unavailable, match="not trusted"):
            await client.get(PODS, "web", namespace="shop")


async def test_proxies_of_the_environment_are_not_asked(
    api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    api.then(says(POD))
    async with client_of(api) as client:
        assert await client.get(PODS, "web", namespace="shop") == POD


async def test_a_server_that_is_not_there_yet_is_tried_a_few_times() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        clock = FakeClock()
        access = Access(f"https://127.0.0.1:{port}")
        async with client_of(ScriptedApi(make_root(current())), access, clock=clock) as client:
            asking = asyncio.create_task(client.get(PODS, "web", namespace="shop"))
            pauses = 0
            while not asking.done():
                pauses += bool(clock.sleepers)
                clock.advance(2.0)
                await asyncio.sleep(0.01)
            assert pauses == 3
            told = f"no connection to 127.0.0.1:{port}: Connection refused"
            with pytest.raises(Unavailable, match=told):
                await asking


async def test_a_server_that_does_not_answer_is_given_up(api: ScriptedApi) -> None:
    async def late(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    api.then(late)
    async with client_of(api, limits=RequestLimits(total=0.2), clock=SystemClock()) as client:
        with pytest.raises(Unavailable, match="no answer in time") as caught:
            await client.patch(PODS, "web", {}, namespace="shop")
    assert caught.value.remedy == "see whether it was done, try again"


def test_the_models_of_kubernetes_asyncio_are_not_loaded_and_others_may_still() -> None:
    code = (
        "import sys; from planes.kube.client import lean; import planes.kube.client.access\n"
        "lean.load('configuration')\n"
        "loaded = [lean.load_config(n) for n in ('kube_config', 'dateutil', 'incluster_config')]\n"
        "assert loaded[0].KubeConfigLoader and loaded[0].ExecProvider\n"
        "assert not [n for n in sys.modules if 'asyncio.client.models' in n]\n"
        "assert 'kubernetes_asyncio' not in sys.modules\n"
        "import kubernetes_asyncio; assert kubernetes_asyncio.client.V1Pod\n"
        "from kubernetes_asyncio.config import kube_config\n"
        "assert kube_config.ApiClient is kubernetes_asyncio.client.ApiClient\n"
        "assert lean.load_config('kube_config') is kube_config\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=25)
