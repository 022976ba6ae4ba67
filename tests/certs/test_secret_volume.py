"""A directory that Kubernetes mounts from a Secret, filled by cert-manager or an operator."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certs import files
from certs.bundle import Certificate, Pair
from certs.issue import issue_root
from certs.policy import Idle
from planes.model.errors import BadInput
from tests.support.certificates import LIFETIMES, Keeper, make_root, make_serving
from tests.support.clock import FakeClock


class Volume:
    """A Secret as the kubelet mounts it: names lead through `..data` to the files of one moment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._count = 0

    def fill(self, **contents: bytes) -> None:
        """Replace everything at once; keys are written with _ for a dot."""
        self._count += 1
        link = self.directory / "..data"
        old = link.resolve() if link.is_symlink() else None
        folder = self.directory / f"..2027_01_15_08_00_0{self._count}.123"
        folder.mkdir()
        for name, content in contents.items():
            file = name.replace("_", ".")
            (folder / file).write_bytes(content)
            if not (self.directory / file).is_symlink():
                (self.directory / file).symlink_to(f"..data/{file}")
        (self.directory / "..data_tmp").symlink_to(folder.name)
        os.rename(self.directory / "..data_tmp", link)
        if old is not None:
            shutil.rmtree(old)


def issued(clock: FakeClock, serial: int) -> tuple[Pair, Pair]:
    now = datetime.fromtimestamp(clock.now(), UTC)
    root = make_root(now, serial)
    return root, make_serving(root, now, serial + 1)


def contents(root: Pair, pair: Pair) -> dict[str, bytes]:
    return {"ca_crt": root.certificate.pem, "tls_crt": pair.chain, "tls_key": pair.key}


async def test_what_is_mounted_is_served_and_nothing_is_written(tmp_path: Path) -> None:
    clock, volume = FakeClock(), Volume(tmp_path)
    root, pair = issued(clock, 1)
    volume.fill(**contents(root, pair))
    before = sorted(os.listdir(tmp_path))
    keeper = Keeper(tmp_path, clock, is_externally_managed=True)
    assert isinstance(await keeper.rotator.reconcile(), Idle)
    assert keeper.shown == pair
    assert sorted(os.listdir(tmp_path)) == before


async def test_a_replaced_secret_is_followed_at_the_next_look_root_and_all(tmp_path: Path) -> None:
    clock, volume = FakeClock(), Volume(tmp_path)
    volume.fill(**contents(*issued(clock, 1)))
    keeper = Keeper(tmp_path, clock, is_externally_managed=True)
    await keeper.rotator.reconcile()
    for serial in (11, 21, 31):
        root, pair = issued(clock, serial)
        volume.fill(**contents(root, pair))
        await keeper.rotator.reconcile()
        assert keeper.shown == pair
    assert keeper.metric("certificate_loads_total", result="refused") == 0


def test_files_replaced_while_they_are_read_never_give_a_mixed_pair(tmp_path: Path) -> None:
    """The old files are gone as soon as the link has turned, as the kubelet does it."""
    clock, volume = FakeClock(), Volume(tmp_path)
    moments = [contents(*issued(clock, serial)) for serial in (1, 11)]
    volume.fill(**moments[0])
    stop = threading.Event()

    def replace() -> None:
        for moment in itertools.cycle(moments):
            volume.fill(**moment)
            if stop.wait(0.003):
                return

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        seen = [files.read(tmp_path) for _ in range(400)]
    finally:
        stop.set()
        thread.join()
    assert [found.broken for found in seen if found.broken] == []
    assert len({found.bundle.serving for found in seen}) == 2


async def test_a_broken_replacement_keeps_the_last_good_pair_and_is_counted(tmp_path: Path) -> None:
    clock, volume = FakeClock(), Volume(tmp_path)
    root, pair = issued(clock, 1)
    volume.fill(**contents(root, pair))
    keeper = Keeper(tmp_path, clock, is_externally_managed=True)
    await keeper.rotator.reconcile()
    volume.fill(**contents(issued(clock, 11)[0], issued(clock, 21)[1]))
    await keeper.rotator.reconcile()
    assert keeper.shown == pair
    assert keeper.metric("certificate_loads_total", result="refused") == 1


async def test_an_empty_directory_of_others_is_waited_for_and_left_empty(tmp_path: Path) -> None:
    clock = FakeClock()
    keeper = Keeper(tmp_path, clock, is_externally_managed=True)
    with pytest.raises(BadInput, match=r"tls\.crt: it is missing"):
        await keeper.rotator.reconcile()
    assert os.listdir(tmp_path) == []
    root, pair = issued(clock, 1)
    Volume(tmp_path).fill(**contents(root, pair))
    await keeper.rotator.reconcile()
    assert keeper.shown == pair


async def test_files_of_others_that_vanish_are_not_written_again(tmp_path: Path) -> None:
    clock = FakeClock()
    root, pair = issued(clock, 1)
    for name, content in contents(root, pair).items():
        (tmp_path / name.replace("_", ".")).write_bytes(content)
    keeper = Keeper(tmp_path, clock)
    await keeper.rotator.reconcile()
    for path in tmp_path.iterdir():
        path.unlink()
    await keeper.rotator.reconcile()
    assert os.listdir(tmp_path) == []
    assert keeper.shown == pair


async def test_an_issuer_that_publishes_no_root_leaves_ca_crt_empty(tmp_path: Path) -> None:
    clock, volume = FakeClock(), Volume(tmp_path)
    _, pair = issued(clock, 1)
    volume.fill(ca_crt=b"", tls_crt=pair.chain, tls_key=pair.key)
    keeper = Keeper(tmp_path, clock, is_externally_managed=True)
    await keeper.rotator.reconcile()
    assert keeper.shown == pair


async def test_a_self_signed_pair_is_its_own_root(tmp_path: Path) -> None:
    clock, volume = FakeClock(), Volume(tmp_path)
    own = issue_root(datetime.fromtimestamp(clock.now(), UTC), 5, LIFETIMES)
    pem = Certificate(own.certificate.x509.public_bytes(Encoding.PEM)).pem
    volume.fill(ca_crt=pem, tls_crt=pem, tls_key=own.key)
    keeper = Keeper(tmp_path, clock, is_externally_managed=True)
    await keeper.rotator.reconcile()
    assert keeper.shown == own
