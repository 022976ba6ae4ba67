"""Nodes for the tests of this package; each test is checked to leave its node as it found it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.node.manifests import MANIFESTS
from tests.support.node.netns import (
    Namespace,
    host_with_cards,
    namespace,
    unchanged_machine,
    why_no_link_kind,
    why_no_reference,
)
from tests.support.node.node import LiveNode
from tests.support.node.shim import static_shim


@pytest.fixture(scope="session")
def shim_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return static_shim(tmp_path_factory)


@pytest.fixture(scope="package", autouse=True)
def _machine_left_as_found() -> Iterator[None]:
    reason = why_no_link_kind("macvlan") or why_no_reference("bridge")
    if reason:
        pytest.skip(reason)
    with unchanged_machine():
        yield


@contextmanager
def prepared(home: Path, shim: Path) -> Iterator[LiveNode]:
    """Make a node whose daemon is not started yet; it is ended whatever happens."""
    with ExitStack() as stack:
        host = stack.enter_context(host_with_cards("eth1", "eth2"))
        sockets = Path(tempfile.mkdtemp(prefix="np-t-"))
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        node = LiveNode(host, home, sockets / "cni.sock", shim)
        node.prepare(MANIFESTS)
        stack.callback(node.stop)
        yield node


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shim_binary: Path) -> Iterator[LiveNode]:
    with prepared(tmp_path_factory.mktemp("node") / "n", shim_binary) as node:
        node.start()
        yield node


@pytest.fixture
def node(shared: LiveNode) -> Iterator[LiveNode]:
    """A running node, shared by the tests of a file; nothing may be left on it."""
    yield shared
    assert shared.remains() == []


@pytest.fixture
def own_node(tmp_path: Path, shim_binary: Path) -> Iterator[LiveNode]:
    """A node of the test's own, its daemon not started; nothing may be left on it."""
    with prepared(tmp_path / "n", shim_binary) as node:
        yield node
        assert node.remains() == []


@pytest.fixture
def sandbox() -> Iterator[Namespace]:
    with namespace("pod") as made:
        yield made


@pytest.fixture
def sandboxes() -> Iterator[Callable[[int], list[Namespace]]]:
    """Make sandboxes that go with the test."""
    with ExitStack() as stack:
        yield lambda count: [stack.enter_context(namespace("pod")) for _ in range(count)]
