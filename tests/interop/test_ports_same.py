"""Spoof checks of bridge, ptp and loopback leave what this machine's release of them leaves.

Each fact is compared, and then handed over: what one side attached the other checks and detaches.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.net.kernel import Kernel
from tests.interop.test_cross_pairs import hand_over
from tests.interop.test_same_as_reference import VERSIONS, Play, assert_equal, play_both, rules
from tests.support.node.netns import (
    Node,
    why_no_reference,
)
from tests.support.node.plugins import Reference, ours
from tests.support.node.scenarios import (
    LOOPBACK,
    PTP,
    SPOOF_CHECKED,
    Scenario,
)

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

OLD = [*PTP, *SPOOF_CHECKED]


def named(scenarios: tuple[Scenario, ...] | list[Scenario]) -> pytest.MarkDecorator:
    ids = [f"{one.conf['type']}-{one.name}" for one in scenarios]
    return pytest.mark.parametrize("scenario", scenarios, ids=ids)


def need(plugin: str) -> None:
    """Skip where the reference plugin is missing."""
    if reason := why_no_reference(plugin):
        pytest.skip(reason)


@named(OLD)
async def test_old_keys_leave_what_the_reference_leaves(
    scenario: Scenario, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """Result, links, addresses, routes, sysctls, rules and files are equal, also after DEL."""
    need(scenario.conf["type"])
    await play_both(scenario, "1.0.0", node_a, node_b, tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
@named(list(LOOPBACK))
async def test_loopback_leaves_what_the_reference_leaves(
    scenario: Scenario, version: str, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """Result and addresses are equal, and `lo` is down after DEL.

    In versions before 1.0.0 the reference forgets the family of an address, which they require.
    """
    need("loopback")
    conf = scenario.netconf(version, str(tmp_path))
    kernel = Kernel(node_b.host.path)
    try:
        plays = [
            Play(node_a, Reference(node_a.host), tmp_path),
            Play(node_b, ours(kernel), tmp_path),
        ]
        raw = [await play.side.add(play.call(scenario), conf) for play in plays]
        theirs, own = [play.result(result) for play, result in zip(plays, raw, strict=True)]
        for one in (*theirs["ips"], *own["ips"]):
            one.pop("version", None)
        assert own == theirs
        await assert_equal(plays[1], plays[0])
        for play in plays:
            if version != "0.3.1":
                await play.side.check(play.call(scenario), conf)
            await play.side.delete(play.call(scenario), conf)
            await play.side.delete(play.call(scenario), conf)
            assert "UP" not in play.node.sandbox.ip_json("link", "show", "lo")[0]["flags"]
        await assert_equal(plays[1], plays[0])
    finally:
        kernel.close()


@pytest.mark.parametrize("is_ours_first", [True, False], ids=["ours-first", "theirs-first"])
@named(OLD)
async def test_each_side_detaches_what_the_other_attached(
    scenario: Scenario, is_ours_first: bool, node_a: Node, tmp_path: Path
) -> None:
    """Nothing is left in the sandbox, of the rules, or of the address files."""
    need(scenario.conf["type"])
    kernel = Kernel(node_a.host.path)
    try:
        sides = (ours(kernel), Reference(node_a.host))
        ordered = sides if is_ours_first else sides[::-1]
        await hand_over(scenario, "1.0.0", node_a, tmp_path, ordered)
        assert "macspoofchk" not in rules(node_a.host)
    finally:
        kernel.close()
