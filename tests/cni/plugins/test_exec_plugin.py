"""Real programs as plugins: what they are given, how they may fail, when they are killed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.host import exec as system
from cni.host.exec import SystemExec
from cni.plugins.exec_plugin import ExecPlugin
from cni.plugins.plugin import Call
from planes.model.errors import Internal, NotFound, PlanesError, Unavailable
from planes.model.wire.netconf import NetConf
from planes.run.clock import SystemClock
from tests.support.clock import FakeClock

CONF = NetConf({"cniVersion": "1.0.0", "name": "net", "type": "plug"})


def script(directory: Path, text: str, name: str = "plug") -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def plugin(deadline: float = 10) -> ExecPlugin:
    return ExecPlugin(SystemExec(dict(os.environ), SystemClock()), "plug", deadline)


def call(directory: Path) -> Call:
    return Call("c1", "/run/netns/x", "eth0", (("A", "1"), ("B", "2")), (str(directory),))


async def test_gets_the_cni_variables_the_environment_and_the_netconf(tmp_path: Path) -> None:
    script(tmp_path, f'cat > {tmp_path}/stdin; env > {tmp_path}/env; echo "{{}}"')
    await plugin().add(call(tmp_path), CONF)
    assert json.loads((tmp_path / "stdin").read_text()) == CONF.raw
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert env["CNI_COMMAND"] == "ADD"
    assert env["CNI_CONTAINERID"] == "c1"
    assert env["CNI_NETNS"] == "/run/netns/x"
    assert env["CNI_IFNAME"] == "eth0"
    assert env["CNI_ARGS"] == "A=1;B=2"
    assert env["CNI_PATH"] == str(tmp_path)
    assert env["PATH"].startswith(os.environ["PATH"])


async def test_a_result_without_version_has_the_configurations(tmp_path: Path) -> None:
    script(tmp_path, """echo '{"ips":[{"address":"10.0.0.1/24"}]}'""")
    result = await plugin().add(call(tmp_path), CONF)
    assert result.ips[0].address == "10.0.0.1/24"


async def test_null_is_an_empty_result_and_nothing_is_an_error(tmp_path: Path) -> None:
    script(tmp_path, "echo null")
    assert (await plugin().add(call(tmp_path), CONF)).ips == ()
    script(tmp_path, "true")
    with pytest.raises(Internal, match="no result"):
        await plugin().add(call(tmp_path), CONF)


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        (
            """echo '{"code":11,"msg":"later","details":"why"}'; exit 1""",
            'plugin type="plug" name="net" failed (add): later',
            11,
        ),
        (
            "echo oops >&2; exit 3",
            'plugin type="plug" name="net" failed (add): netplugin failed: "oops": exit status 3',
            999,
        ),
        (
            "exit 3",
            'plugin type="plug" name="net" failed (add): '
            "netplugin failed with no error message: exit status 3",
            999,
        ),
        (
            "echo rubbish; exit 1",
            'plugin type="plug" name="net" failed (add): netplugin failed but its diagnostic '
            "message cannot be parsed: rubbish",
            999,
        ),
        (
            "kill -9 $$",
            'plugin type="plug" name="net" failed (add): '
            "netplugin failed with no error message: signal 9",
            999,
        ),
    ],
)
async def test_failures_are_wrapped_as_libcni_does(
    tmp_path: Path, text: str, message: str, code: int
) -> None:
    script(tmp_path, text)
    with pytest.raises(Internal) as caught:
        await plugin().add(call(tmp_path), CONF)
    assert caught.value.message == message
    assert caught.value.cni_code == code


async def test_of_a_plugins_own_words_no_more_is_told_than_people_read(tmp_path: Path) -> None:
    """Half a MiB of it went into the answer to the runtime, and into the log."""
    words = '{"code":7,"msg":"%0500000d","details":"%0500000d"}'
    script(tmp_path, f"printf '{words}' 1 1; exit 1")
    with pytest.raises(Internal) as caught:
        await plugin().add(call(tmp_path), CONF)
    assert len(caught.value.message) < 5000
    assert len(caught.value.remedy) < 5000


async def test_check_errors_are_not_wrapped(tmp_path: Path) -> None:
    script(tmp_path, """echo '{"code":150,"msg":"differs"}'; exit 1""")
    with pytest.raises(Internal) as caught:
        await plugin().check(call(tmp_path), CONF)
    assert caught.value.message == "differs"


async def test_del_of_a_plugin_that_reads_no_stdin_is_fine(tmp_path: Path) -> None:
    script(tmp_path, "exec <&-; exit 0")
    big = NetConf({**CONF.raw, "pad": "x" * 300_000})
    await plugin().delete(call(tmp_path), big)


async def test_at_the_deadline_it_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """An IPAM binary that hangs holds its parent's pipes: it must go too."""
    script(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"3 s"):
        await plugin(deadline=3).add(call(tmp_path), CONF)
    assert time.monotonic() - begun < 20
    await _gone(int((tmp_path / "child").read_text()))


async def test_cancelled_it_is_killed_and_awaited(tmp_path: Path) -> None:
    script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    task = asyncio.create_task(plugin().add(call(tmp_path), CONF))
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(int((tmp_path / "pid").read_text()))


async def test_endless_output_is_cut(tmp_path: Path) -> None:
    script(tmp_path, "cat /dev/zero")
    with pytest.raises(Internal, match="printed over"):
        await plugin().add(call(tmp_path), CONF)


def busy_binary(directory: Path) -> Path:
    busy = directory / "plug"
    busy.write_bytes(Path("/bin/true").read_bytes())
    busy.chmod(0o755)
    return busy


async def test_a_binary_that_is_being_written_is_tried_again(tmp_path: Path) -> None:
    busy = busy_binary(tmp_path)
    clock = FakeClock()
    executed = ExecPlugin(SystemExec({}, clock), "plug", 10)
    with busy.open("r+b"):
        task = asyncio.create_task(executed.delete(call(tmp_path), CONF))
        await _sleeping(clock)
    clock.advance(system.BUSY_PAUSE)
    await task


async def test_a_binary_that_stays_busy_is_an_error_not_a_silent_success(tmp_path: Path) -> None:
    busy = busy_binary(tmp_path)
    clock = FakeClock()
    executed = ExecPlugin(SystemExec({}, clock), "plug", 10)
    with busy.open("r+b"):
        task = asyncio.create_task(executed.delete(call(tmp_path), CONF))
        for _ in range(system.BUSY_TRIES - 1):
            await _sleeping(clock)
            clock.advance(system.BUSY_PAUSE)
            await asyncio.sleep(0)
        with pytest.raises(Internal, match="cannot start"):
            await task


async def test_a_file_that_cannot_be_executed_is_one_plain_error(tmp_path: Path) -> None:
    script(tmp_path, "true").chmod(stat.S_IRUSR)
    with pytest.raises(PlanesError, match="cannot start"):
        await plugin().delete(call(tmp_path), CONF)


async def test_the_first_directory_with_a_regular_file_of_that_name_counts(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "plug").mkdir()
    script(tmp_path / "b", "true")
    script(tmp_path / "c", "true")
    found = SystemExec({}, SystemClock()).find("plug", [str(tmp_path / d) for d in "abc"])
    assert found == f"{tmp_path}/b/plug"


@pytest.mark.parametrize("name", ["", "../plug", "a/b", "absent", "nul\0"])
async def test_other_names_are_not_found(tmp_path: Path, name: str) -> None:
    script(tmp_path, "true")
    assert SystemExec({}, SystemClock()).find(name, [str(tmp_path)]) is None


async def test_a_missing_binary_names_the_path_that_was_searched(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=rf'plugin "plug" in path \[{tmp_path}\]'):
        await plugin().add(call(tmp_path), CONF)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for another process, which gives no signal."""
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def _sleeping(clock: FakeClock) -> None:
    await until(lambda: clock.sleepers > 0)


async def _gone(pid: int) -> None:
    await until(lambda: not Path(f"/proc/{pid}").exists() or _state(pid) == "Z")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
