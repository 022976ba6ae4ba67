"""The log of a container, over real TLS: what is asked for, and what is kept of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from planes.kube.api import LogQuery
from planes.kube.client.pod_log import end_of
from planes.model.errors import BadInput, Denied, NotFound
from tests.support.kube.scripted_api import ScriptedApi, client_of, refuses, streams

QUERY = LogQuery("netplane-system", "netplane-cni-a", "cni", lines=7, size=100)


async def test_a_log_is_asked_for_with_times_and_bounds(api: ScriptedApi) -> None:
    api.then(streams(b"2026-11-30T10:00:00Z one\n", b"2026-11-30T10:00:01Z two\n"))
    async with client_of(api) as client:
        text = await client.log(QUERY)
    assert text == b"2026-11-30T10:00:00Z one\n2026-11-30T10:00:01Z two\n"
    (seen,) = api.seen
    assert seen.path == "/api/v1/namespaces/netplane-system/pods/netplane-cni-a/log"
    assert seen.query == {
        "container": "cni",
        "timestamps": "true",
        "tailLines": "7",
        "limitBytes": "1600",
    }


async def test_the_log_before_a_restart_is_asked_for(api: ScriptedApi) -> None:
    api.then(streams(b"last words\n"))
    async with client_of(api) as client:
        await client.log(LogQuery("netplane-system", "a", "cni", is_previous=True))
    assert api.seen[0].query["previous"] == "true"


async def test_a_user_without_the_right_reads_which_it_is(api: ScriptedApi) -> None:
    api.then(refuses(403, "Forbidden", "no"))
    async with client_of(api) as client:
        with pytest.raises(Denied) as refused:
            await client.log(QUERY)
    assert refused.value.message == "cannot get log of Pod netplane-system/netplane-cni-a: no"
    assert refused.value.remedy == "ask for a role that may get pods/log"


async def test_a_pod_that_is_gone_is_not_found(api: ScriptedApi) -> None:
    api.then(refuses(404, "NotFound", "gone"))
    async with client_of(api) as client:
        with pytest.raises(NotFound):
            await client.log(QUERY)


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_what_is_no_name_is_not_asked_for(api: ScriptedApi, name: str) -> None:
    async with client_of(api) as client:
        with pytest.raises(BadInput):
            await client.log(LogQuery("netplane-system", name, "cni"))
    assert api.seen == []


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
async def test_of_a_long_log_the_last_whole_lines_are_kept(piece: int) -> None:
    whole = b"".join(b"line %02d\n" % number for number in range(50))

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(whole), piece):
            yield whole[at : at + piece]

    assert await end_of(chunks(), 20) == b"line 48\nline 49\n"
    assert await end_of(chunks(), 1000) == whole
