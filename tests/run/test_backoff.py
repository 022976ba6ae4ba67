"""Delays grow up to a cap, begin anew after a success, and spread by an injected randomness."""

from __future__ import annotations

import pytest

from planes.run.backoff import Backoff


def test_delays_double_up_to_the_cap_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(0.5, 3.0)

    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5


@pytest.mark.parametrize(("number", "delay"), [(0.0, 1.4), (0.5, 2.0), (1.0, 2.6)])
def test_jitter_lies_between_its_two_factors(number: float, delay: float) -> None:
    backoff = Backoff(1.0, 60.0, jitter=(0.7, 1.3), randomness=lambda: number)

    assert backoff.after(2) == pytest.approx(delay)
    assert backoff.longest(2) == 2.0


def test_a_caller_may_count_its_failures_itself_whatever_it_comes_to() -> None:
    backoff = Backoff(0.0002, 0.005, factor=1.5)

    assert [backoff.after(failures) for failures in (0, 1, 2)] == pytest.approx(
        [0.0002, 0.0002, 0.0003]
    )
    assert backoff.after(1_000_000) == 0.005
