"""The kernel of `make vm` has what tests are marked for; elsewhere these say what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.node.kinds import KINDS, why_no_kind

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


@pytest.mark.second_kernel
@pytest.mark.parametrize("kind", KINDS)
def test_a_link_of_this_kind_can_be_made(kind: str) -> None:
    if reason := why_no_kind(kind):
        pytest.skip(reason)


@pytest.mark.sriov
def test_a_card_makes_virtual_functions() -> None:
    cards = list(Path("/sys/class/net").glob("*/device/sriov_numvfs"))
    if not cards:
        pytest.skip("this machine has no card with virtual functions")
    before = cards[0].read_text()
    if int(before) != 0:
        pytest.skip(f"{cards[0].parts[4]} is in use")
    cards[0].write_text("1")
    try:
        assert list(cards[0].parent.glob("virtfn0/net/*"))
    finally:
        cards[0].write_text(before)
