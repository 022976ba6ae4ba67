"""Requests of a user that logs in by a credential plugin: tokens, client certificates, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from certs.bundle import Pair
from planes.kube.client.credentials import Access
from planes.kube.errors import Unauthenticated
from planes.kube.resources import PODS
from planes.model.errors import BadInput, Unavailable
from planes.run.clock import rfc3339
from tests.kube.client.credential_scripts import Script
from tests.support.certificates import current, make_plain_root, make_root
from tests.support.clock import FakeClock
from tests.support.kube.scripted_api import ScriptedApi, client_of, refuses, says, scripted_api

POD = {"metadata": {"name": "web", "namespace": "shop"}}


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


@pytest.fixture
def pairs() -> list[Pair]:
    """Return client certificates with the serials 7 and 8."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    return [make_plain_root(key, current(), serial) for serial, key in enumerate(keys, start=7)]


@pytest.fixture
async def api(tmp_path: Path, pairs: list[Pair]) -> AsyncIterator[ScriptedApi]:
    clients = b"".join(pair.certificate.pem for pair in pairs)
    async with scripted_api(tmp_path, clients) as served:
        yield served


def access_of(api: ScriptedApi, script: Script) -> Access:
    return replace(api.access, plugin=script.plugin)


def shown(api: ScriptedApi) -> list[str]:
    return [seen.headers.get("Authorization", "") for seen in api.seen]


def gives(script: Script, pair: Pair, **more: str) -> None:
    certificate, key = pair.certificate.pem.decode(), pair.key.decode()
    script.prints(clientCertificateData=certificate, clientKeyData=key, **more)


async def test_a_token_is_shown_until_it_is_about_to_expire(
    api: ScriptedApi, script: Script
) -> None:
    clock = FakeClock()
    api.then(*[says(POD)] * 3)
    script.prints(token="token-$n", expirationTimestamp=rfc3339(clock.now() + 3600))
    async with client_of(api, access_of(api, script), clock=clock) as client:
        for _ in range(2):
            await client.get(PODS, "web", namespace="shop")
        clock.advance(3545)
        script.prints(token="token-$n", expirationTimestamp=rfc3339(clock.now() + 3600))
        await client.get(PODS, "web", namespace="shop")
    assert shown(api) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_requests_that_are_refused_at_one_time_run_it_once(
    api: ScriptedApi, script: Script
) -> None:
    both = asyncio.Barrier(3)

    async def refused(request: web.Request) -> web.StreamResponse:
        await both.wait()
        return await refuses(401, "Unauthorized")(request)

    api.then(refused, refused, refused, says(POD), says(POD), says(POD))
    script.prints(token="token-$n")
    async with client_of(api, access_of(api, script)) as client:
        await asyncio.gather(*[client.get(PODS, "web", namespace="shop") for _ in range(3)])
    assert shown(api) == ["Bearer token-1"] * 3 + ["Bearer token-2"] * 3
    assert script.runs == 2


async def test_refusals_that_no_new_token_helps_run_it_once(
    api: ScriptedApi, script: Script
) -> None:
    both = asyncio.Barrier(3)

    async def refused(request: web.Request) -> web.StreamResponse:
        await both.wait()
        return await refuses(401, "Unauthorized")(request)

    api.then(refused, refused, refused)
    script.does(
        """sleep 0.3; echo '{"apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential", "status": {"token": "always"}}'"""
    )
    async with client_of(api, access_of(api, script)) as client:
        asking = [client.get(PODS, "web", namespace="shop") for _ in range(3)]
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unauthenticated}
    assert (len(api.seen), script.runs) == (3, 2)


async def test_a_refusal_with_a_plugin_that_fails_is_told_as_such(
    api: ScriptedApi, script: Script
) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        script.does("exit 1")
        return await refuses(401, "Unauthorized")(request)

    api.then(refused)
    script.prints(token="token-$n")
    async with client_of(api, access_of(api, script)) as client:
        with pytest.raises(Unauthenticated):
            await client.get(PODS, "web", namespace="shop")


async def test_without_a_credential_nothing_is_asked(api: ScriptedApi, script: Script) -> None:
    script.does("exit 1")
    async with client_of(api, access_of(api, script)) as client:
        with pytest.raises(Unavailable, match="plugin aws-login failed with exit status 1; run it"):
            await client.get(PODS, "web", namespace="shop")
        script.prints(token="token-$n")
        api.then(says(POD))
        assert await client.get(PODS, "web", namespace="shop") == POD
    assert shown(api) == ["Bearer token-2"]


async def test_a_client_certificate_is_shown_until_it_is_about_to_expire(
    api: ScriptedApi, script: Script, pairs: list[Pair]
) -> None:
    clock = FakeClock()
    api.then(*[says(POD)] * 3)
    gives(script, pairs[0], expirationTimestamp=rfc3339(clock.now() + 3600))
    async with client_of(api, access_of(api, script), clock=clock) as client:
        for _ in range(2):
            await client.get(PODS, "web", namespace="shop")
        clock.advance(3545)
        gives(script, pairs[1], expirationTimestamp=rfc3339(clock.now() + 3600))
        await client.get(PODS, "web", namespace="shop")
    assert [seen.client_serial for seen in api.seen] == [7, 7, 8]
    assert shown(api) == [""] * 3
    assert script.runs == 2


async def test_a_client_certificate_that_is_refused_is_replaced(
    api: ScriptedApi, script: Script, pairs: list[Pair]
) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        gives(script, pairs[1], token="token")
        return await refuses(401, "Unauthorized")(request)

    api.then(refused, says(POD))
    gives(script, pairs[0])
    async with client_of(api, access_of(api, script)) as client:
        assert await client.get(PODS, "web", namespace="shop") == POD
    assert [seen.client_serial for seen in api.seen] == [7, 8]
    assert shown(api) == ["", "Bearer token"]


async def test_a_request_on_a_replaced_session_ends_in_good_order(
    api: ScriptedApi, script: Script, pairs: list[Pair]
) -> None:
    going, going_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        going.set()
        await going_on.wait()
        return await says(POD)(request)

    clock = FakeClock()
    api.then(slow, says(POD))
    gives(script, pairs[0], expirationTimestamp=rfc3339(clock.now() + 3600))
    async with client_of(api, access_of(api, script), clock=clock) as client:
        first = asyncio.create_task(client.get(PODS, "web", namespace="shop"))
        await going.wait()
        clock.advance(3545)
        gives(script, pairs[1], expirationTimestamp=rfc3339(clock.now() + 3600))
        assert await client.get(PODS, "web", namespace="shop") == POD
        going_on.set()
        assert await first == POD
    assert [seen.client_serial for seen in api.seen] == [7, 8]


async def test_a_client_certificate_that_is_none_is_said_and_the_next_one_taken(
    api: ScriptedApi, script: Script, pairs: list[Pair]
) -> None:
    script.prints(clientCertificateData="hunter2", clientKeyData="hunter3")
    async with client_of(api, access_of(api, script)) as client:
        with pytest.raises(BadInput, match="cannot set up TLS") as caught:
            await client.get(PODS, "web", namespace="shop")
        assert "hunter" not in str(caught.value)
        gives(script, pairs[0])
        api.then(says(POD))
        assert await client.get(PODS, "web", namespace="shop") == POD
    assert [seen.client_serial for seen in api.seen] == [7]


async def test_while_a_renewed_certificate_is_none_the_last_one_is_shown(
    api: ScriptedApi, script: Script, pairs: list[Pair], caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    api.then(*[says(POD)] * 3)
    gives(script, pairs[0], expirationTimestamp=rfc3339(clock.now() + 3600))
    async with client_of(api, access_of(api, script), clock=clock) as client:
        await client.get(PODS, "web", namespace="shop")
        clock.advance(3545)
        script.prints(clientCertificateData="hunter2", clientKeyData="hunter3")
        for _ in range(2):
            await client.get(PODS, "web", namespace="shop")
    assert [seen.client_serial for seen in api.seen] == [7, 7, 7]
    assert [record.message for record in caplog.records] == ["credentials not taken"]
    assert script.runs == 2


async def test_a_server_that_is_not_trusted_is_no_reason_to_log_in_again(
    api: ScriptedApi, script: Script
) -> None:
    script.prints(token="token-$n")
    access = replace(access_of(api, script), authority=make_root(current()).certificate.pem)
    async with client_of(api, access) as client:
        for _ in range(2):
            with pytest.raises(Unavailable, match="certificate is not trusted"):
                await client.get(PODS, "web", namespace="shop")
    assert script.runs == 1
