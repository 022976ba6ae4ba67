"""Credential plugins: real programs that log in, and every way they fail."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from planes.kube.client.credential_plugin import (
    EARLY_SECONDS,
    MAX_OUTPUT,
    RETRY_SECONDS,
    CredentialPlugin,
    PluginLogin,
)
from planes.model.errors import Unavailable
from planes.run.clock import SystemClock, rfc3339
from tests.kube.client.credential_scripts import V1, Script, credential
from tests.support.clock import FakeClock


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


async def no_authority() -> bytes | None:
    return None


def login_of(script: Script, clock: Any = None, seconds: float = 10.0) -> PluginLogin:
    return PluginLogin(script.plugin, no_authority, clock or SystemClock(), seconds=seconds)


async def failure_of(login: PluginLogin) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await login.current()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.message.startswith(
        "cannot log in to the API server: the credential plugin aws-login "
    )
    return caught.value


def is_running(pid: int) -> bool:
    """Report whether a process runs; one that only waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # reaped before, or while it was read
        return False


async def until_ended(pid: int) -> None:
    """Wait until a process that was killed is not running: it has to be given the CPU to die."""
    async with asyncio.timeout(10):
        while is_running(pid):
            await asyncio.sleep(0.01)


async def test_a_token_without_an_end_is_kept(script: Script) -> None:
    script.prints(token="token-$n")
    clock = FakeClock()
    login = login_of(script, clock)
    for _ in range(3):
        assert (await login.current()).token == "token-1"
        clock.advance(100_000)
    assert (await login.renew()).token == "token-2"


@pytest.mark.parametrize(("lifetime", "early"), [(600, EARLY_SECONDS), (100, 20)])
async def test_a_token_is_renewed_before_it_expires(
    script: Script, lifetime: float, early: float
) -> None:
    clock = FakeClock()
    login = login_of(script, clock)
    script.prints(token="token-$n", expirationTimestamp=rfc3339(clock.now() + lifetime))
    assert (await login.current()).token == "token-1"
    script.prints(token="token-$n", expirationTimestamp=rfc3339(clock.now() + 2 * lifetime))
    clock.advance(lifetime - early - 1)
    assert (await login.current()).token == "token-1"
    clock.advance(1)
    assert (await login.current()).token == "token-2"
    assert script.runs == 2


async def test_times_of_other_zones_are_understood(script: Script) -> None:
    script.prints(token="token-$n", expirationTimestamp="2027-01-15T10:10:00.123456789+02:00")
    held = await login_of(script, FakeClock()).current()  # it is 08:00:00 UTC
    assert 599 < held.expires - FakeClock().now() < 601


async def test_callers_at_one_time_share_one_run(script: Script) -> None:
    script.does(f"sleep 0.2; cat <<EOF\n{credential(token='token-$n')}\nEOF")
    login = login_of(script)
    held = await asyncio.gather(*[login.current() for _ in range(5)])
    assert {credential.token for credential in held} == {"token-1"}
    assert script.runs == 1


async def test_callers_at_one_time_share_one_failure(script: Script) -> None:
    script.does("sleep 0.2; exit 1")
    login = login_of(script)
    outcomes = await asyncio.gather(*[login.current() for _ in range(5)], return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert script.runs == 1


async def test_while_it_cannot_be_renewed_a_valid_token_stays(script: Script) -> None:
    clock = FakeClock()
    login = login_of(script, clock)
    script.prints(token="token-$n", expirationTimestamp=rfc3339(clock.now() + 600))
    await login.current()
    script.does("exit 1")
    clock.advance(560)
    for _ in range(3):
        assert (await login.current()).token == "token-1"
    assert script.runs == 2
    clock.advance(RETRY_SECONDS)
    assert (await login.current()).token == "token-1"
    assert script.runs == 3
    clock.advance(30)
    await failure_of(login)


async def test_the_loop_goes_on_while_it_runs(script: Script) -> None:
    script.does(f"sleep 2; cat <<EOF\n{credential(token='token')}\nEOF")
    logging_in = asyncio.create_task(login_of(script).current())
    longest, before = 0.0, time.monotonic()
    while not logging_in.done():
        await asyncio.sleep(0.01)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    assert longest < 1.5
    assert (await logging_in).token == "token"


async def test_one_that_hangs_is_killed_with_its_children(script: Script, tmp_path: Path) -> None:
    script.does(f"sleep 60 & echo $! $$ > {tmp_path}/pids; wait")
    failure = await failure_of(login_of(script, seconds=0.5))
    assert failure.message.endswith("did not end within 0.5 s")
    for pid in (tmp_path / "pids").read_text().split():
        await until_ended(int(pid))


async def test_a_caller_that_gives_up_ends_it(script: Script, tmp_path: Path) -> None:
    script.does(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    logging_in = asyncio.create_task(login_of(script).current())
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.01)
    logging_in.cancel()
    await asyncio.wait([logging_in])
    assert not is_running(int((tmp_path / "pid").read_text()))


async def test_what_it_leaves_behind_holds_no_descriptor_of_ours(script: Script) -> None:
    script.does("setsid sleep 1.5 & exit 0")
    before = len(os.listdir("/proc/self/fd"))
    assert "did not end" in (await failure_of(login_of(script, seconds=0.3))).message
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_output_without_end_is_given_up(script: Script) -> None:
    script.does("exec yes hunter2")
    failure = await failure_of(login_of(script))
    assert failure.message.endswith(f"printed more than {MAX_OUTPUT} bytes")


async def test_a_full_stderr_does_not_stop_it(script: Script) -> None:
    script.does(f"yes hunter2 | head -c 300000 >&2; cat <<EOF\n{credential(token='token')}\nEOF")
    assert (await login_of(script).current()).token == "token"


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ("echo hunter2 >&2; echo hunter2; exit 3", "failed with exit status 3"),
        ("kill -9 $$", "was killed by signal 9"),
        ("", "printed no ExecCredential"),
        ("echo hunter2", "printed no ExecCredential"),
        ("echo '[\"hunter2\"]'", "printed no ExecCredential"),
        ('echo \'{"kind": "Secret", "x": "hunter2"}\'', "printed no ExecCredential"),
        (
            f"echo '{credential(token='hunter2')}' | sed s,/v1,/v1beta1,",
            f"printed an ExecCredential that is not of {V1}",
        ),
        (
            f"echo '{credential()}' | sed s,{{}},null,",
            "printed an ExecCredential without a status",
        ),
    ],
)
async def test_one_that_fails_is_named_without_what_it_printed(
    script: Script, commands: str, why: str
) -> None:
    script.does(commands)
    failure = await failure_of(login_of(script))
    assert failure.message.endswith(f" {why}")
    assert failure.remedy == "run it by hand to see why"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "neither a token nor a client certificate"),
        ({"token": ""}, "neither a token nor a client certificate"),
        ({"token": 7}, "a token that is no text"),
        ({"token": "hunter2\nX-Remote-User: root"}, "a token that is none"),
        ({"token": "hunter2 ü"}, "a token that is none"),
        ({"clientKeyData": "hunter2"}, "a client certificate or key without the other"),
        ({"token": "a", "clientCertificateData": "b"}, "a client certificate or key without"),
        ({"token": "a", "expirationTimestamp": "hunter2"}, "an expirationTimestamp that is no"),
        ({"token": "a", "expirationTimestamp": "2027-13-41T00:00:00Z"}, "an expirationTimestamp"),
        ({"token": "a", "expirationTimestamp": 7}, "a expirationTimestamp that is no text"),
        ({"token": "a", "expirationTimestamp": "2001-01-01T00:00:00Z"}, "a credential that has"),
    ],
)
async def test_a_credential_that_is_none_is_said(
    script: Script, status: dict[str, Any], why: str
) -> None:
    script.does(f"cat <<'EOF'\n{credential(**status)}\nEOF")
    assert f" printed {why}" in (await failure_of(login_of(script))).message


async def test_a_program_that_is_not_there_is_said(script: Script) -> None:
    failure = await failure_of(login_of(script))
    assert failure.message.endswith("cannot be run: No such file or directory")
    script.path.write_text("#!/bin/sh\n")
    assert (await failure_of(login_of(script))).message.endswith("Permission denied")
    plugin = replace(script.plugin, command=(str(script.path), "\0"))
    login = PluginLogin(plugin, no_authority, SystemClock())
    assert (await failure_of(login)).message.endswith("cannot be run: ValueError")


async def test_its_input_has_the_cluster_where_it_asks_for_it(
    script: Script, tmp_path: Path
) -> None:
    script.does(
        f'printf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/info\n'
        f"cat <<EOF\n{credential(token='$GREETING')}\nEOF"
    )
    env = {**os.environ, "GREETING": "hello"}

    async def authority() -> bytes | None:
        return b"PEM"

    async def info(cluster: dict[str, Any] | None) -> Any:
        plugin = CredentialPlugin((str(script.path),), V1, env, cluster)
        assert (await PluginLogin(plugin, authority, SystemClock()).current()).token == "hello"
        return orjson.loads((tmp_path / "info").read_bytes())

    kind = {"apiVersion": V1, "kind": "ExecCredential"}
    assert await info(None) == {**kind, "spec": {"interactive": False}}
    told = {"server": "https://api:6443", "certificate-authority-data": "UEVN"}
    spec = {"interactive": False, "cluster": told}
    assert await info({"server": "https://api:6443"}) == {**kind, "spec": spec}


async def test_nothing_secret_shows_in_a_repr(script: Script) -> None:
    script.prints(token="hunter2", clientCertificateData="hunter3", clientKeyData="hunter4")
    plugin = replace(script.plugin, command=(str(script.path), "hunter5"), env={"A": "hunter6"})
    held = await PluginLogin(plugin, no_authority, SystemClock()).current()
    assert held.key == b"hunter4"
    assert "hunter" not in f"{plugin!r} {held!r}"
