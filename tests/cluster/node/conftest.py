"""A node of a cluster for the tests of this package: an API server and a kernel, both real."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.apiserver import Options, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.node.manifests import MANIFESTS
from tests.support.node.cluster_node import ClusterNode
from tests.support.node.netns import (
    Namespace,
    host_with_cards,
    namespace,
    unchanged_machine,
    why_no_link_kind,
    why_no_reference,
)
from tests.support.node.shim import static_shim

Sandboxes = Callable[[int], list[Namespace]]


@pytest.fixture(scope="module")
def shim_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return static_shim(tmp_path_factory)


@pytest.fixture(scope="module")
def cluster(shim_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterNode]:
    """A node with an API server on it; its daemon does not run between tests."""
    reason = why_missing(CONTROL_PLANE) or why_no_link_kind("macvlan") or why_no_reference("bridge")
    if reason:
        pytest.skip(reason)
    with unchanged_machine(), ExitStack() as stack:
        host = stack.enter_context(host_with_cards("eth1", "eth2"))
        sockets = Path(tempfile.mkdtemp(prefix="np-t-"))
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        entering = ("nsenter", f"--net={host.path}", "--")
        server = stack.enter_context(running_api_server(Options(entering=entering)))
        home = tmp_path_factory.mktemp("node") / "n"
        node = ClusterNode(host, home, sockets / "cni.sock", shim_binary, server=server)
        node.prepare([])
        node.join(MANIFESTS)
        stack.callback(node.stop)
        yield node


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    with ExitStack() as stack:
        yield lambda count: [stack.enter_context(namespace("pod")) for _ in range(count)]
