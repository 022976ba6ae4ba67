"""Device information of attachments: to the plugin, into network-status, and gone with a DEL."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cni.journal.entry import Stage
from planes.model.errors import PlanesError
from planes.model.wire.status import parse_status
from tests.cni.verbs.device_scene import INFO, ONE, given, say, scene
from tests.support.cni.exec import PluginCall, failed, ok, plain


async def test_device_information_goes_to_the_plugin_and_into_network_status(root: Path) -> None:
    given(root, ONE)
    say(root, ONE)
    made = await scene(root, "vf")
    seen: list[str] = []

    async def reading(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        if call.verb == "ADD":
            seen.append(Path(call.conf["runtimeConfig"]["CNIDeviceInfoFile"]).read_text())
        return await plain(call)

    made.exec.scripts["sriov"] = reading
    await made.call("ADD", uid="u1")
    assert seen == [INFO % ONE]
    status = parse_status(made.store.statuses["shop", "web"])
    assert [one.device_info for one in status] == [None, json.loads(INFO % ONE)]
    await made.restart()
    (entry,) = made.journal.entries()
    device = entry.attachments[1].device
    assert device is not None
    assert device.info == json.loads(INFO % ONE)
    await made.call("DEL")
    assert list((root / "devinfo/cni").iterdir()) == []


async def test_what_a_plugin_writes_itself_is_read_too(root: Path) -> None:
    given(root, ONE)
    made = await scene(root, "vf")

    async def writing(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        if call.verb == "ADD":
            path = Path(call.conf["runtimeConfig"]["CNIDeviceInfoFile"])
            path.parent.mkdir(parents=True)
            path.write_text(INFO % "own")
        return await plain(call)

    made.exec.scripts["sriov"] = writing
    await made.call("ADD", uid="u1")
    status = parse_status(made.store.statuses["shop", "web"])
    assert status[1].device_info == json.loads(INFO % "own")


async def test_an_add_that_fails_leaves_no_device_information(root: Path) -> None:
    given(root, ONE)
    say(root, ONE)
    made = await scene(root, "vf")

    async def failing(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        return failed("no link") if call.verb == "ADD" else ok()

    made.exec.scripts["sriov"] = failing
    with pytest.raises(PlanesError, match="no link"):
        await made.call("ADD", uid="u1")
    assert list((root / "devinfo/cni").iterdir()) == []


async def test_an_add_cancelled_at_any_step_leaves_no_device_information(
    root: Path,
) -> None:
    given(root, ONE)
    say(root, ONE)
    made = await scene(root, "vf")
    boundary = 0
    while True:
        made.probe.seen, made.probe.at = [], boundary
        task = asyncio.create_task(made.call("ADD", uid="u1"))
        made.probe.act = task.cancel
        await asyncio.wait([task])
        if not task.cancelled():
            break
        assert not list((root / "devinfo").glob("cni/*")), made.probe.seen
        boundary += 1
    assert boundary > 5


async def test_what_a_killed_daemon_left_is_removed_at_its_next_start(root: Path) -> None:
    given(root, ONE)
    say(root, ONE)
    made = await scene(root, "vf")
    await made.call("ADD", uid="u1")
    (entry,) = made.journal.entries()
    await made.journal.update(replace(entry, stage=Stage.BEGUN))
    await made.restart()
    assert not list((root / "devinfo").glob("cni/*"))
