"""The protocol of lending and returning blocks: every state that losses and kills can reach.

Larger budgets were explored by hand: 4 programs, 1 loss and 1 kill have 770,000 states.
"""

from __future__ import annotations

import pytest

from tests.kube.addresses.lending_exploration import begin, explore
from tests.kube.addresses.lending_model import GUARDS, Budget, Protocol

ONE = Budget(3, 1, 1)
FOUR = Budget(4, 0, 1)
NEEDED = {
    "check": ({"borrow"}, ONE, True),
    "confirm": ({"lend", "give again", "borrow"}, ONE, True),
    "instance": ({"load", "lend", "borrow"}, ONE, True),
    "look": ({"lend", "give again", "borrow"}, ONE, True),
    "read held": ({"borrow", "take"}, ONE, False),
    "record": ({"lend", "give again", "borrow", "load"}, FOUR, True),
    "version": ({"load", "return", "take"}, ONE, True),
    "withhold first": ({"lend", "borrow"}, ONE, True),
    "write anew": ({"borrow", "release", "take"}, FOUR, False),
}
"""For each guard programs, a budget and a beginning with which its absence shows."""


@pytest.mark.parametrize("is_taken", [True, False])
@pytest.mark.parametrize("budget", [Budget(3, 1, 0), Budget(3, 0, 1), Budget(2, 1, 1)])
def test_no_order_of_requests_losses_and_kills_gives_one_address_to_two_pods(
    budget: Budget, is_taken: bool
) -> None:
    states, story = explore(Protocol(), begin(budget, is_taken=is_taken))
    assert story == ""
    assert states > 2_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_without_any_one_of_its_guards_two_pods_get_one_address(guard: str) -> None:
    """So each rule of the protocol is necessary, and the exploration would find its absence."""
    programs, budget, is_taken = NEEDED[guard]
    protocol = Protocol(guard, frozenset(programs))
    assert explore(protocol, begin(budget, is_taken=is_taken))[1]
