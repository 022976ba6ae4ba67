"""A tenant's plugin that hangs in DEL: its pod ends all the same, and keeps nothing but that."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.hanging import Scene, scene
from tests.support.daemon import CniError
from tests.support.netns import machine, why_no_kernel_tests

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


@pytest.fixture
def here() -> Iterator[Scene]:
    if reason := why_no_kernel_tests():
        pytest.skip(reason)
    before = machine()
    with tempfile.TemporaryDirectory(prefix="np-t-") as directory, scene(Path(directory)) as made:
        yield made
    assert machine() == before


def _journal(here: Scene) -> list[dict[str, Any]]:
    paths = (here.place.state / "journal").glob("*.json")
    return [json.loads(path.read_text())["entry"] for path in paths]


def _addresses(here: Scene) -> list[str]:
    networks = here.place.directory / "host-local"
    return sorted(path.name for path in networks.glob("*/10.*"))


def test_tenant_whose_plugin_hangs_in_del_keeps_neither_pod_nor_addresses(here: Scene) -> None:
    """A DEL that was cut off counted as never tried: its runtime would repeat it for ever."""
    here.start("--call-deadline", "6")
    sandbox = here.node.sandbox.path
    here.place.call("ADD", sandbox, container="late1", pod="evil/late")
    assert _addresses(here)
    for attempt in (1, 2):
        with pytest.raises(CniError, match="net1 within") as caught:
            here.place.call("DEL", sandbox, container="late1", pod="evil/late")
        assert caught.value.code == 11
        left = _journal(here)
        assert [(one["stage"], one["attempts"]) for one in left] == [("leaving", attempt)]
        assert [each["ifname"] for each in left[0]["attachments"]] == ["net1"]
        assert _addresses(here) == []
        assert [link["ifname"] for link in here.node.sandbox.ip_json("link")] == ["lo"]
    here.place.call("DEL", sandbox, container="late1", pod="evil/late")


def test_tenant_whose_plugin_hangs_in_add_and_its_undo_keeps_no_addresses(here: Scene) -> None:
    """The undo of the ADD gives back what the other networks gave, whatever one of them does."""
    here.start("--call-deadline", "3")
    with pytest.raises(CniError):
        here.place.call("ADD", here.node.sandbox.path, container="hang1", pod="evil/hang")
    assert _addresses(here) == []
    assert [link["ifname"] for link in here.node.sandbox.ip_json("link")] == ["lo"]
