"""Which peers get a place, and which are evicted."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.run.listening.hello import hello_bytes
from planes.run.listening.peers import Peer, PeerStage, PeerTable, source_of


def table(places: int) -> tuple[PeerTable, list[Peer]]:
    evicted: list[Peer] = []
    return PeerTable(places, evicted.append), evicted


def test_of_one_source_the_one_idle_longest_goes() -> None:
    made, evicted = table(2)
    first, second = Peer("a", 1.0, PeerStage.IDLE), Peer("a", 2.0, PeerStage.IDLE)
    made.add(first)
    made.add(second)
    made.set_stage(first, PeerStage.ANSWERED, 3.0)
    made.set_stage(first, PeerStage.IDLE, 3.0)
    assert made.add(Peer("a", 4.0, PeerStage.HANDSHAKE))
    assert evicted == [second]
    assert second.is_gone


def test_who_dawdles_in_the_handshake_goes_before_an_idle_one() -> None:
    made, evicted = table(2)
    idle, dawdling = Peer("a", 0.0, PeerStage.IDLE), Peer("a", 2.0, PeerStage.HANDSHAKE)
    made.add(idle)
    made.add(dawdling)
    made.add(Peer("a", 5.0, PeerStage.HANDSHAKE))
    assert evicted == [dawdling]


def test_who_has_just_begun_its_handshake_stays() -> None:
    made, evicted = table(2)
    idle, new = Peer("a", 0.0, PeerStage.IDLE), Peer("a", 4.9, PeerStage.HANDSHAKE)
    made.add(idle)
    made.add(new)
    made.add(Peer("a", 5.0, PeerStage.HANDSHAKE))
    assert evicted == [idle]


def test_who_has_said_what_it_wants_stays_while_others_are_silent() -> None:
    made, evicted = table(2)
    silent, waiting = Peer("a", 3.0), Peer("a", 0.0)
    made.add(waiting)
    made.set_stage(waiting, PeerStage.WAITING, 1.0)
    made.add(silent)
    made.add(Peer("a", 4.0))
    assert evicted == [silent]


def test_an_api_server_keeps_its_connections_however_many_come_from_elsewhere() -> None:
    made, evicted = table(10)
    own = [Peer("api", 0.0, PeerStage.IDLE) for _ in range(3)]
    for peer in own:
        made.add(peer)
    for number in range(100):
        assert made.add(Peer("pod", float(number), PeerStage.HANDSHAKE))
    assert not set(own) & set(evicted)


def test_there_is_no_place_where_all_are_being_answered() -> None:
    made, evicted = table(2)
    for _ in range(2):
        made.add(Peer("a", 0.0, PeerStage.ANSWERED))
    assert not made.add(Peer("b", 1.0))
    assert evicted == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from(PeerStage), st.integers(0, 9), st.booleans()
    ),
    max_size=60,
)


@given(STEPS)
def test_a_newcomer_is_admitted_at_the_cost_of_the_largest_source(
    steps: list[tuple[str, PeerStage, int, bool]],
) -> None:
    """Whatever comes: never more than the places, never one that is being answered is evicted."""
    made, evicted = table(5)
    inside: list[Peer] = []
    for now, (source, stage, which, goes) in enumerate(steps):
        if goes and inside:
            made.remove(inside.pop(which % len(inside)))
        elif inside and which % 2:
            made.set_stage(inside[which % len(inside)], stage, float(now))
        else:
            free = [peer for peer in inside if peer.stage is not PeerStage.ANSWERED]
            count = Counter(peer.source for peer in inside)
            is_full = len(inside) == 5
            peer = Peer(source, float(now), stage)
            assert made.add(peer) == (not is_full or bool(free))
            if is_full and free:
                (gone,) = evicted
                assert gone in free
                assert count[gone.source] == max(count[each.source] for each in free)
                inside.remove(gone)
            if not is_full or free:
                inside.append(peer)
            evicted.clear()
        assert len(made) == len(inside)
        assert set(made) == set(inside)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("@", "@"),
    ],
)
def test_a_source_is_an_address_or_a_64(address: str, source: str) -> None:
    assert source_of(address) == source


@given(st.binary(min_size=5, max_size=5))
def test_a_hello_is_a_handshake_record_of_at_most_16_kib(head: bytes) -> None:
    length = hello_bytes(head)
    assert length == 0 or (head[0] == 22 and head[1] == 3 and 6 <= length <= 5 + (1 << 14))
