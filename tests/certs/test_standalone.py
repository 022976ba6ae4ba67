"""A certificate directory: empty, rotated, broken, removed, and owned by another user."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.bundle import Certificate
from certs.policy import Idle, WaitTrusted
from planes.model.errors import BadInput, Unavailable
from tests.support.certificates import Keeper, make_root, make_serving
from tests.support.clock import FakeClock

DAY = 86400.0


def at(clock: FakeClock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)


def roots(directory: Path) -> list[str]:
    return [each.id for each in Certificate.parse_all((directory / "ca.crt").read_bytes(), "ca")]


async def test_an_empty_directory_gets_a_root_and_a_pair(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, FakeClock())
    await keeper.rotator.reconcile()
    assert {path.name for path in tmp_path.iterdir()} == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert keeper.shown.chain == (tmp_path / "tls.crt").read_bytes()


async def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    await Keeper(tmp_path, FakeClock()).rotator.reconcile()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ca.key": 0o600, "tls.key": 0o600, "ca.crt": 0o644, "tls.crt": 0o644}


async def test_a_restart_keeps_root_and_pair(tmp_path: Path) -> None:
    clock = FakeClock()
    first, second = Keeper(tmp_path, clock), Keeper(tmp_path, clock)
    await first.rotator.reconcile()
    assert isinstance(await second.rotator.reconcile(), Idle)
    assert second.shown == first.shown


async def test_the_pair_is_renewed_long_before_it_ends_and_the_root_stays(tmp_path: Path) -> None:
    clock = FakeClock()
    keeper = Keeper(tmp_path, clock)
    await keeper.rotator.reconcile()
    before, kept = keeper.shown, roots(tmp_path)
    clock.advance(61 * DAY)
    await keeper.rotator.reconcile()
    assert keeper.shown != before
    assert keeper.shown.certificate.not_after > at(clock) + timedelta(days=89)
    assert roots(tmp_path) == kept


async def test_a_root_is_succeeded_with_an_overlap(tmp_path: Path) -> None:
    """First both are in ca.crt with the old chain served; a minute later only the new one."""
    clock = FakeClock()
    keeper = Keeper(tmp_path, clock)
    await keeper.rotator.reconcile()
    (old,) = roots(tmp_path)
    for _ in range(4):
        clock.advance(61 * DAY)
        step = await keeper.rotator.reconcile()
    assert isinstance(step, WaitTrusted)
    both = roots(tmp_path)
    assert both[0] == old
    assert len(both) == 2
    clock.advance(61)
    assert isinstance(await keeper.rotator.reconcile(), Idle)
    assert roots(tmp_path) == both[1:]


async def test_an_expired_pair_at_start_is_replaced_at_once(tmp_path: Path) -> None:
    clock = FakeClock()
    await Keeper(tmp_path, clock).rotator.reconcile()
    clock.advance(2 * 365 * DAY)
    late = Keeper(tmp_path, clock, first_serial=100)
    await late.rotator.reconcile()
    assert late.shown.certificate.is_valid_at(at(clock))


async def test_a_clock_set_back_before_the_root_still_gives_a_valid_pair(tmp_path: Path) -> None:
    clock = FakeClock()
    await Keeper(tmp_path, clock).rotator.reconcile()
    clock.set_wall(clock.now() - 400 * DAY)
    early = Keeper(tmp_path, clock, first_serial=100)
    await early.rotator.reconcile()
    assert early.shown.certificate.is_valid_at(at(clock))


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\n"])
async def test_a_broken_pair_of_ours_is_counted_and_made_anew(
    tmp_path: Path, content: bytes
) -> None:
    keeper = Keeper(tmp_path, FakeClock())
    await keeper.rotator.reconcile()
    (tmp_path / "tls.crt").write_bytes(content)
    await keeper.rotator.reconcile()
    assert keeper.metric("certificate_loads_total", result="refused") == 1
    assert keeper.shown.chain == (tmp_path / "tls.crt").read_bytes()


async def test_a_crash_between_key_and_certificate_is_mended_at_start(tmp_path: Path) -> None:
    clock = FakeClock()
    await Keeper(tmp_path, clock).rotator.reconcile()
    root = make_root(at(clock), 77)
    (tmp_path / "tls.key").write_bytes(make_serving(root, at(clock)).key)
    late = Keeper(tmp_path, clock, first_serial=100)
    await late.rotator.reconcile()
    assert late.shown.key == (tmp_path / "tls.key").read_bytes()


async def test_files_removed_while_running_are_written_again(tmp_path: Path) -> None:
    """Clients that were given ca.crt go on trusting us."""
    keeper = Keeper(tmp_path, FakeClock())
    await keeper.rotator.reconcile()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        path.unlink()
    await keeper.rotator.reconcile()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["ca.crt", "ca.key"])
async def test_a_broken_root_is_never_replaced_silently(tmp_path: Path, name: str) -> None:
    clock = FakeClock()
    keeper = Keeper(tmp_path, clock)
    await keeper.rotator.reconcile()
    shown = keeper.shown
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(BadInput, match=name):
        await keeper.rotator.reconcile()
    assert keeper.shown == shown
    assert (tmp_path / name).read_bytes() == b"junk"


async def test_a_pair_that_others_put_there_is_served_and_never_written(tmp_path: Path) -> None:
    clock = FakeClock()
    pair = make_serving(make_root(at(clock)), at(clock))
    (tmp_path / "tls.crt").write_bytes(pair.chain)
    (tmp_path / "tls.key").write_bytes(pair.key)
    keeper = Keeper(tmp_path, clock)
    await keeper.rotator.reconcile()
    assert keeper.shown == pair
    assert {path.name for path in tmp_path.iterdir()} == {"tls.crt", "tls.key"}


async def test_the_pair_of_others_is_followed_and_the_last_good_one_kept(tmp_path: Path) -> None:
    clock = FakeClock()
    root = make_root(at(clock))
    one, two = make_serving(root, at(clock)), make_serving(root, at(clock), 3)
    (tmp_path / "tls.crt").write_bytes(one.chain)
    (tmp_path / "tls.key").write_bytes(one.key)
    keeper = Keeper(tmp_path, clock)
    await keeper.rotator.reconcile()
    (tmp_path / "tls.key").unlink()
    await keeper.rotator.reconcile()
    (tmp_path / "tls.crt").unlink()
    await keeper.rotator.reconcile()
    assert keeper.shown == one
    assert keeper.metric("certificate_loads_total", result="refused") == 2
    (tmp_path / "tls.crt").write_bytes(two.chain)
    (tmp_path / "tls.key").write_bytes(two.key)
    await keeper.rotator.reconcile()
    assert keeper.shown == two


async def test_a_broken_pair_of_others_at_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_bytes(b"junk")
    (tmp_path / "tls.key").write_bytes(b"junk")
    with pytest.raises(BadInput, match=r"cannot read the certificate of .*tls\.crt"):
        await Keeper(tmp_path, FakeClock()).rotator.reconcile()


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file stands where the temporary file would be renamed to: root cannot write it either."""
    (tmp_path / "ca.key").mkdir()
    with pytest.raises(Unavailable, match=r"cannot read .*ca\.key: Is a directory"):
        await Keeper(tmp_path, FakeClock()).rotator.reconcile()


async def test_nothing_temporary_is_left(tmp_path: Path) -> None:
    await Keeper(tmp_path, FakeClock()).rotator.reconcile()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
