"""Tables that other pods change while they are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cni.net.channel import Channel
from cni.net.links import get_links
from cni.net.netlink import Message, NetlinkRequest
from planes.model.errors import Unavailable

pytestmark = pytest.mark.kernel


class Changing(Channel):
    """A channel whose n-th reading of a table (from 0) is torn where a function says so."""

    def __init__(self, is_torn: Callable[[int], bool]) -> None:
        super().__init__()
        self.readings = 0
        self._is_torn = is_torn

    def _dump_once(self, request: NetlinkRequest) -> tuple[list[Message], bool]:
        found, _ = super()._dump_once(request)
        self.readings += 1
        return found, self._is_torn(self.readings - 1)


def read(channel: Changing, *, may_be_torn: bool = False) -> list[Message]:
    try:
        return channel.dump(get_links(), may_be_torn=may_be_torn)
    finally:
        channel.close()


def test_a_table_is_read_until_it_stands_still() -> None:
    changing = Changing(lambda number: number < 20)
    assert read(changing)
    assert changing.readings == 21


def test_a_table_that_never_stands_still_is_refused_with_what_it_was() -> None:
    with pytest.raises(Unavailable, match="cannot list links: it changes faster"):
        read(Changing(lambda _number: True))


def test_where_a_torn_table_will_do_two_readings_are_joined() -> None:
    """What both may miss is only what came or went."""
    changing = Changing(lambda _number: True)
    once = len(read(Changing(lambda _number: False)))
    assert len(read(changing, may_be_torn=True)) == 2 * once
    assert changing.readings == 2
