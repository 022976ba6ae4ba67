"""Shares of plugin binaries: per namespace, the cluster's own network and DEL apart."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from cni.plugins.attachment import PlannedAttachment
from cni.plugins.plugin import Call
from cni.plugins.plugin_turns import PluginTurns
from planes.model.errors import Unavailable
from planes.model.wire.cniversion import Verb
from planes.model.wire.netconf import parse_conflist
from planes.store.protocol import AddressOwner
from tests.support.clock import FakeClock

SHORT = (0.02, 0.02)


def call(namespace: str, container: str = "c1", *, is_cluster_network: bool = False) -> Call:
    owner = AddressOwner(container, "net1", namespace)
    return Call(container, "/n", "net1", owner=owner, is_cluster_network=is_cluster_network)


async def fill(stack: AsyncExitStack, programs: PluginTurns, verb: Verb, one: Call) -> None:
    """Run binaries that do not end, until there is no turn any more."""
    with suppress(Unavailable):
        while True:
            await stack.enter_async_context(programs.turn(verb, one, "slow"))


async def test_a_namespace_over_its_share_is_told_what_runs() -> None:
    clock = FakeClock()
    programs = PluginTurns(clock, timeouts=SHORT)
    async with AsyncExitStack() as stack:
        await fill(stack, programs, Verb.ADD, call("evil", "c0ffee"))
        clock.advance(58)
        with pytest.raises(Unavailable) as caught:
            async with programs.turn(Verb.ADD, call("evil"), "next"):
                pass
        assert caught.value.cni_code == 11
        assert 'cannot run the plugin "next" yet: 8 plugin calls of namespace evil' in str(
            caught.value
        )
        assert "slow for sandbox c0ffee since 58 s" in str(caught.value)
    assert (len(programs), programs.waiting) == (0, 0)


@pytest.mark.parametrize(
    ("verb", "one"),
    [
        (Verb.ADD, call("shop")),
        (Verb.DEL, call("evil")),
        (Verb.ADD, call("evil", is_cluster_network=True)),
        (Verb.ADD, call("", "c2")),
    ],
    ids=["another namespace", "its own DEL", "the cluster's network", "no namespace at all"],
)
async def test_adds_that_hang_keep_waiting_only_adds_of_their_namespace(
    verb: Verb, one: Call
) -> None:
    programs = PluginTurns(FakeClock(), timeouts=SHORT)
    async with AsyncExitStack() as stack:
        await fill(stack, programs, Verb.ADD, call("evil"))
        async with programs.turn(verb, one, "works"):
            pass


async def test_a_call_that_waits_for_a_binary_is_reported() -> None:
    told: list[str] = []
    programs = PluginTurns(FakeClock(), told.append)
    async with programs.turn(Verb.ADD, call("shop", "c9"), "works"):
        await asyncio.sleep(0)
    assert told == ["c9"]


@pytest.mark.parametrize(
    ("network", "is_default", "expected"),
    [("cluster", True, True), ("evil/slow", True, False), ("evil/slow", False, False)],
    ids=["the administrator's", "a NAD in its place", "a NAD"],
)
def test_a_nad_in_place_of_the_default_network_is_still_a_nad(
    network: str, is_default: bool, expected: bool
) -> None:
    """A tenant chooses it by an annotation (v1.multus-cni.io/default-network)."""
    conflist = parse_conflist({"cniVersion": "1.0.0", "name": "n", "type": "slow"})
    planned = PlannedAttachment(network, conflist, "eth0", is_default=is_default)
    assert planned.is_cluster_network is expected
