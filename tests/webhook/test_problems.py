"""What is wrong is counted by kind, and named by `netplane-webhook problems`."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator

import pytest

from planes.kube.store.problems import KINDS, Problems, kind_of
from planes.model.errors import BadInput, Unavailable
from planes.run.metrics import Metrics, serve
from planes.store.protocol import Problem
from webhook.problems import listing, show

BROKEN = Problem("Plane/bad", "cannot use subnets")
CLUSTER = ["--kubeconfig", "/nonexistent"]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The metrics port of a webhook with one problem."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    serving = serve(Metrics(), "", number, problems=lambda: listing([BROKEN]))
    task = asyncio.create_task(serving)
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", number)
        except ConnectionError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            break
    yield number
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_command_names_what_the_running_webhook_finds_wrong(port: int) -> None:
    """`netplane_problems 6` could not say which."""
    out = io.StringIO()
    env = {"NETPLANE_METRICS": f":{port}"}
    assert await asyncio.to_thread(show, CLUSTER, env, out) == 0
    assert out.getvalue() == "Plane/bad: cannot use subnets\n"


async def test_where_no_webhook_runs_the_command_says_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        env = {"NETPLANE_METRICS": f"127.0.0.1:{probe.getsockname()[1]}"}
        with pytest.raises(Unavailable, match="cannot ask the webhook on port"):
            await asyncio.to_thread(show, CLUSTER, env, io.StringIO())


def test_without_a_metrics_port_the_command_says_what_to_set() -> None:
    with pytest.raises(BadInput, match="no metrics port"):
        show(CLUSTER, {}, io.StringIO())


def test_hostile_texts_and_numbers_are_bounded() -> None:
    """Names and reasons may be a tenant's, and a terminal obeys what it is sent."""
    hostile = Problem("NAD shop/own ipam", "a\x1b]0;owned\x07b\nPlane/forged: " + "x" * 5000)
    (line,) = listing([hostile]).splitlines()
    assert "\x1b" not in line
    assert len(line) < 1200
    many = listing([BROKEN] * 5000).splitlines()
    assert (len(many), many[-1]) == (1001, "and 4000 more")


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("Plane/bad", "Plane"),
        ("plane bad", "Plane"),
        ("NetworkAttachmentDefinition/shop/own", "NetworkAttachmentDefinition"),
        ("NAD shop/own ipam", "NetworkAttachmentDefinition"),
        ("Namespace/shop", "Namespace"),
    ],
)
def test_each_problem_is_counted_with_the_kind_of_its_object(where: str, kind: str) -> None:
    assert kind_of(Problem(where, "x")) == kind


def test_the_metric_has_a_row_for_each_kind_and_no_more() -> None:
    metrics = Metrics()
    problems = Problems(metrics)
    problems.update([BROKEN, Problem("NAD shop/a", "x"), Problem("NAD shop/b", "y")])
    found = [metrics.registry.get_sample_value("netplane_problems", {"kind": k}) for k in KINDS]
    assert found == [1.0, 2.0, 0.0]
    problems.update([])
    assert metrics.registry.get_sample_value("netplane_problems", {"kind": "Plane"}) == 0.0
