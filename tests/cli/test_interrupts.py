"""An interrupt waits until the program that was started has ended."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from planes.cli.interrupts import held_back


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_block_ends_before_it_is_interrupted(number: signal.Signals) -> None:
    """What stands behind the signal in the block is done; then KeyboardInterrupt is raised."""
    done: list[str] = []

    def work() -> None:
        with held_back():
            os.kill(os.getpid(), number)
            done.append("whole block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole block"]


def test_the_interrupt_wins_over_what_it_caused() -> None:
    """A program that Ctrl-C reached too has failed: that failure is not what is told."""

    def work() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("ip ended with 130")

    with pytest.raises(KeyboardInterrupt):
        work()


def test_handlers_are_those_of_before() -> None:
    """After a block SIGINT does what it did before it."""
    before = signal.getsignal(signal.SIGINT)
    with held_back():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored() -> None:
    """Where cleaning up ignores SIGTERM, a block inside it does not raise."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_are_left_alone() -> None:
    """In a thread, which may not set handlers, a block simply runs."""
    done: list[str] = []

    def work() -> None:
        with held_back():
            done.append("in a thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["in a thread"]
