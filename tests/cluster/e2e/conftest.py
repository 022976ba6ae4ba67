"""One cluster with Netplane for all tests here that leave it as they found it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pytest

from tests.cluster.e2e.figures import Figures
from tests.cluster.lab.binaries import NODES, ROOT, why_missing
from tests.cluster.lab.cluster import Cluster, running_cluster
from tests.cluster.lab.possible import why_impossible
from tests.cluster.netplane import IMAGE, Netplane, Workspace, example

LOGS = ROOT / "build" / "e2e-logs"
FIGURES: Final = pytest.StashKey[Figures]()
Spaces = Callable[..., Workspace]
_counter = itertools.count(1)


def why_no_cluster() -> str:
    """Return why no cluster can run here; "" where one can."""
    if not IMAGE.exists():
        return f"needs {IMAGE.relative_to(ROOT)}: run `make image`"
    return why_missing(NODES) or why_impossible()


@pytest.fixture(scope="session")
def empty_cluster_reason() -> str:
    return why_no_cluster()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """What is measured in this run; told at its end."""
    return request.config.stash[FIGURES]


@pytest.fixture(scope="session")
def netplane(empty_cluster_reason: str, figures: Figures) -> Iterator[Netplane]:
    """Netplane on two nodes, with the example planes."""
    if empty_cluster_reason:
        pytest.skip(empty_cluster_reason)
    with running_cluster() as cluster:
        bare = Workspace(cluster, "bare")
        bare.create({})
        figures.time_pods("without Netplane", bare)
        bare.delete(wait=True)
        cluster.load(IMAGE)
        installed = Netplane(cluster)
        installed.install()
        for plane in ("business-plane", "storage-plane"):
            cluster.kubectl("apply", "-f", str(example(plane)))
        yield installed


@pytest.fixture
def cluster(netplane: Netplane) -> Cluster:
    return netplane.cluster


@pytest.fixture
def spaces(netplane: Netplane) -> Iterator[Spaces]:
    """Makes namespaces: `spaces(business="enabled")`; they go after the test."""
    made: list[Workspace] = []

    def make(**planes: str) -> Workspace:
        space = Workspace(netplane.cluster, f"test-{next(_counter)}")
        made.append(space)
        space.create(planes)
        return space

    yield make
    for space in made:
        space.delete()


@pytest.fixture
def space(spaces: Spaces) -> Workspace:
    """A namespace joined to both planes."""
    return spaces(business="enabled", storage="enabled")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no figures."""
    config.stash[FIGURES] = Figures()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write what was measured."""
    figures = config.stash[FIGURES]
    if figures.ready:
        terminalreporter.section("figures")
        for line in figures.lines():
            terminalreporter.line(line)
        figures.write(ROOT / "build" / "e2e-figures.json")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the logs of all parts of the cluster of a test that failed."""
    report = yield
    used: Mapping[str, object] = getattr(item, "funcargs", {})
    for one in used.values():
        if isinstance(one, Netplane) and report.failed and call.when != "teardown":
            keep_logs(one.cluster, item.name)
    return report


def keep_logs(cluster: Cluster, name: str) -> None:
    """Copy what tells of a failure to build/e2e-logs/<name>."""
    folder = LOGS / name
    folder.mkdir(parents=True, exist_ok=True)
    cluster.collect_logs(folder)
    for what in ("pods -o wide", "events --sort-by=.lastTimestamp", "planes -o yaml"):
        try:
            text = cluster.kubectl("get", "-A", *what.split())
        except Exception as error:
            text = str(error)
        (folder / f"{what.split()[0]}.txt").write_text(text)


@contextmanager
def stage(cluster: Cluster, name: str) -> Iterator[None]:
    """Keep the logs where a stage that several tests rest on fails, or takes too long."""
    try:
        yield
    except BaseException:
        keep_logs(cluster, name)
        raise
