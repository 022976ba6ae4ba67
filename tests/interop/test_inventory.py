"""Native plugins leave what the reference plugins leave, in every scenario of their own tests.

Result, links, addresses, routes, neighbours, rules, qdiscs, sysctls and files are compared after
ADD and after DEL. In a crosswise test each side checks and detaches what the other attached.
`make vm` plays the scenarios for which this kernel lacks a kind of link.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from planes.model.wire.cniversion import SUPPORTED
from tests.interop.inventory import INVENTORY
from tests.interop.inventory.trial import Trial
from tests.interop.play import Outcome, Play, native_side, settle
from tests.interop.reference import bin_dir, why_not_here
from tests.support.node.netns import Node
from tests.support.node.plugins import Reference, Side

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

CROSSWISE = ("0.4.0", "1.1.0")
"""The versions in which the sides change: prevResult has another form in the older one."""

_FORMS = ("0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
_EVERY = "NETPLANE_TEST_EVERY_VERSION" in os.environ


def _versions(trial: Trial) -> Iterator[tuple[str, bool]]:
    """Yield the versions a scenario is played in, and whether the sides change.

    The first scenario of a type in each version, any other in one, by turns, which takes minutes;
    NETPLANE_TEST_EVERY_VERSION asks for all. In a second kernel, where a program takes a quarter
    of a second, the first is played in one, too.
    """
    if trial.refused:
        yield "1.1.0", False
        return
    of_type = [one for one in INVENTORY if one.type == trial.type and not one.refused]
    is_first, place = trial is of_type[0], INVENTORY.index(trial)
    played: tuple[str, ...] = (_FORMS[place % len(_FORMS)],)
    if is_first and (_EVERY or not trial.kinds):
        played = SUPPORTED
    elif _EVERY:
        played = _FORMS
    possible = [one for one in dict.fromkeys(played) if one in trial.versions] or ["1.1.0"]
    for version in possible:
        yield version, version in CROSSWISE
    if is_first and not trial.kinds:
        yield "1.1.0", False


def _param(trial: Trial, version: str, crosswise: bool) -> Any:
    marks = [pytest.mark.second_kernel] if trial.kinds else []
    name = f"{trial.id}-{version}{'-crosswise' if crosswise else ''}"
    return pytest.param(trial, version, crosswise, id=name, marks=marks)


@pytest.fixture(autouse=True)
def _possible(trial: Trial) -> None:
    if reason := why_not_here(trial) or trial.deliberate:
        pytest.skip(reason)


@pytest.mark.parametrize(
    ("trial", "version", "crosswise"),
    [_param(one, *rest) for one in INVENTORY for rest in _versions(one)],
)
async def test_ours_leaves_what_the_reference_leaves(
    trial: Trial, version: str, crosswise: bool, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        ours = [stack.enter_context(native_side(trial, version, one)) for one in (node_a, node_b)]
        reference = [Reference(one.host, bin_dir()) for one in (node_a, node_b)]
        theirs = Play(trial, version, node_a, reference[0], tmp_path / "theirs")
        mine = Play(trial, version, node_b, ours[1], tmp_path / "ours")
        for play in (theirs, mine):
            play.prepare()
        outcomes = await theirs.add(), await mine.add()
        if None in [one.result for one in outcomes]:
            assert_both_refused(trial, *outcomes)
            return
        assert trial.refused == ""
        assert mine.comparable(outcomes[1]) == theirs.comparable(outcomes[0])
        assert_equal(await settle(theirs, mine))
        await detach(theirs, trial, version, ours[0] if crosswise else theirs.side)
        await detach(mine, trial, version, reference[1] if crosswise else mine.side)
        if trial.detached_otherwise:
            return
        assert_equal(await settle(theirs, mine))


def assert_equal(difference: str) -> None:
    """Fail with the lines that only the reference (-) or only we (+) left."""
    if difference:
        pytest.fail(f"left by the reference (-) and by us (+):\n{difference}", pytrace=False)


def assert_both_refused(trial: Trial, theirs: Outcome, mine: Outcome) -> None:
    """Texts differ between the libraries; both name what is wrong."""
    assert (theirs.result, mine.result) == (None, None), f"{theirs.text} | {mine.text}"
    for outcome in (theirs, mine):
        assert re.search(trial.refused, outcome.text), outcome.text


async def detach(play: Play, trial: Trial, version: str, side: Side) -> None:
    if trial.is_checked and version in {"0.4.0", "1.0.0", "1.1.0"}:
        await play.check(side)
    await play.delete(side)
    if trial.is_repeatable:
        await play.delete(side)
    await play.delete_before()
