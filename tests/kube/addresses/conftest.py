"""An API server in memory, and the address books of two nodes on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from tests.kube.addresses.static_scene import book_of
from tests.support.kube.fake_kube import FakeKube


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def one(kube: FakeKube, tmp_path: Path) -> KubeAddressBook:
    return book_of(kube, tmp_path, "n1")


@pytest.fixture
def two(kube: FakeKube, tmp_path: Path) -> KubeAddressBook:
    return book_of(kube, tmp_path, "n2")
