"""A tenant's plugin hangs in DEL: its pod is deleted, and its addresses are released."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.attacks.hanging import AttackedNode
from tests.support.node.daemon import CniError

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]


def _journal(attacked: AttackedNode) -> list[dict[str, Any]]:
    paths = (attacked.place.state / "journal").glob("*.json")
    return [json.loads(path.read_text())["entry"] for path in paths]


def _addresses(attacked: AttackedNode) -> list[str]:
    networks = attacked.place.directory / "host-local"
    return sorted(path.name for path in networks.glob("*/10.*"))


def test_tenant_whose_plugin_hangs_in_del_keeps_neither_pod_nor_addresses(
    attacked: AttackedNode,
) -> None:
    """A DEL that was cut off counted as never tried: its runtime would repeat it for ever."""
    attacked.start("--call-deadline", "6")
    sandbox = attacked.node.sandbox.path
    attacked.place.call("ADD", sandbox, container="late1", pod="evil/late")
    assert _addresses(attacked)
    for attempt in (1, 2):
        with pytest.raises(CniError, match=r"net1 .*within") as caught:
            attacked.place.call("DEL", sandbox, container="late1", pod="evil/late")
        assert caught.value.code == 11
        left = _journal(attacked)
        assert [(one["stage"], one["attempts"]) for one in left] == [("leaving", attempt)]
        assert [each["ifname"] for each in left[0]["attachments"]] == ["net1"]
        assert _addresses(attacked) == []
        assert [link["ifname"] for link in attacked.node.sandbox.ip_json("link")] == ["lo"]
    attacked.place.call("DEL", sandbox, container="late1", pod="evil/late")


def test_tenant_whose_plugin_hangs_in_our_own_retry_keeps_no_del_from_its_turn(
    attacked: AttackedNode,
) -> None:
    """A retry had no end but the plugin's deadline: the DEL that waited for it was cut off."""
    attacked.start("--call-deadline", "6")
    sandbox = attacked.node.sandbox.path
    attacked.place.call("ADD", sandbox, container="late1", pod="evil/late")
    with pytest.raises(CniError, match=r"net1 .*within"):
        attacked.place.call("DEL", sandbox, container="late1", pod="evil/late")
    attacked.until_hanging(1, "late")
    attacked.place.call("DEL", sandbox, container="late1", pod="evil/late")
    assert [(one["stage"], one["attempts"]) for one in _journal(attacked)] == [("leaving", 3)]


def test_tenant_whose_plugin_hangs_in_add_and_its_undo_keeps_no_addresses(
    attacked: AttackedNode,
) -> None:
    """The undo of the ADD gives back what the other networks gave, whatever one of them does."""
    attacked.start("--call-deadline", "3")
    with pytest.raises(CniError):
        attacked.place.call("ADD", attacked.node.sandbox.path, container="hang1", pod="evil/hang")
    assert _addresses(attacked) == []
    assert [link["ifname"] for link in attacked.node.sandbox.ip_json("link")] == ["lo"]
