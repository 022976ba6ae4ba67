"""Who gets a place, and who has to give way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.run.listening.crowd import Crowd, Guest, Stage, source_of
from planes.run.listening.hello import hello_bytes


def crowd(places: int) -> tuple[Crowd, list[Guest]]:
    put_out: list[Guest] = []
    return Crowd(places, put_out.append), put_out


def test_of_one_source_the_one_idle_longest_goes() -> None:
    made, put_out = crowd(2)
    first, second = Guest("a", 1.0, Stage.IDLE), Guest("a", 2.0, Stage.IDLE)
    made.admit(first)
    made.admit(second)
    made.step(first, Stage.ANSWERED, 3.0)
    made.step(first, Stage.IDLE, 3.0)
    assert made.admit(Guest("a", 4.0, Stage.GREETED))
    assert put_out == [second]
    assert second.is_gone


def test_who_dawdles_in_the_handshake_goes_before_an_idle_one() -> None:
    made, put_out = crowd(2)
    idle, dawdling = Guest("a", 0.0, Stage.IDLE), Guest("a", 2.0, Stage.GREETED)
    made.admit(idle)
    made.admit(dawdling)
    made.admit(Guest("a", 5.0, Stage.GREETED))
    assert put_out == [dawdling]


def test_who_has_just_begun_its_handshake_stays() -> None:
    made, put_out = crowd(2)
    idle, new = Guest("a", 0.0, Stage.IDLE), Guest("a", 4.9, Stage.GREETED)
    made.admit(idle)
    made.admit(new)
    made.admit(Guest("a", 5.0, Stage.GREETED))
    assert put_out == [idle]


def test_who_has_said_what_it_wants_stays_while_others_are_silent() -> None:
    made, put_out = crowd(2)
    silent, waiting = Guest("a", 3.0), Guest("a", 0.0)
    made.admit(waiting)
    made.step(waiting, Stage.WAITING, 1.0)
    made.admit(silent)
    made.admit(Guest("a", 4.0))
    assert put_out == [silent]


def test_an_api_server_keeps_its_connections_however_many_come_from_elsewhere() -> None:
    made, put_out = crowd(10)
    own = [Guest("api", 0.0, Stage.IDLE) for _ in range(3)]
    for guest in own:
        made.admit(guest)
    for number in range(100):
        assert made.admit(Guest("pod", float(number), Stage.GREETED))
    assert not set(own) & set(put_out)


def test_there_is_no_place_where_all_are_being_answered() -> None:
    made, put_out = crowd(2)
    for _ in range(2):
        made.admit(Guest("a", 0.0, Stage.ANSWERED))
    assert not made.admit(Guest("b", 1.0))
    assert put_out == []


STEPS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(Stage), st.integers(0, 9), st.booleans()),
    max_size=60,
)


@given(STEPS)
def test_a_newcomer_is_admitted_at_the_cost_of_the_largest_source(
    steps: list[tuple[str, Stage, int, bool]],
) -> None:
    """Whatever comes: never more than the places, never one that is being answered is put out."""
    made, put_out = crowd(5)
    inside: list[Guest] = []
    for now, (source, stage, which, goes) in enumerate(steps):
        if goes and inside:
            made.leave(inside.pop(which % len(inside)))
        elif inside and which % 2:
            made.step(inside[which % len(inside)], stage, float(now))
        else:
            free = [guest for guest in inside if guest.stage is not Stage.ANSWERED]
            count = Counter(guest.source for guest in inside)
            is_full = len(inside) == 5
            guest = Guest(source, float(now), stage)
            assert made.admit(guest) == (not is_full or bool(free))
            if is_full and free:
                (gone,) = put_out
                assert gone in free
                assert count[gone.source] == max(count[each.source] for each in free)
                inside.remove(gone)
            if not is_full or free:
                inside.append(guest)
            put_out.clear()
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
