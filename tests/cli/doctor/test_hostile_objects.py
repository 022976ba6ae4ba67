"""Whoever wrote an object, the doctor reads it or names it as a problem, and prints it safely."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planes.cli.console import Console
from planes.cli.doctor.checkup import CheckResult
from planes.cli.doctor.command import report
from planes.cli.doctor.diagnosis import Diagnosis, Severity
from planes.cli.doctor.facts.cluster_node import read_cluster_node
from planes.cli.doctor.facts.networks import link_needs, networks_of
from planes.cli.doctor.judging.bridges import judge_bridges
from planes.cli.doctor.judging.cluster_node import judge_daemon, judge_node
from planes.cli.doctor.judging.kernel_features import needed
from planes.cli.doctor.judging.masters import judge_masters
from planes.kube.resources import NODES
from planes.model.encode import dumps
from tests.cli.doctor.test_cluster_node import NOW
from tests.cli.doctor.values import ETH0, survey
from tests.support.kube.fake_kube import FakeKube

TEXTS = st.text(max_size=20) | st.sampled_from(["bridge", "macvlan", "host-device", "eth0", ""])
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXTS
)
KEYS = st.sampled_from(
    [
        *("type", "name", "plugins", "master", "bridge", "device", "hwaddr", "mtu", "vlan", "ipam"),
        *("subnet", "ranges", "cniVersion", "kernelpath", "pciBusID", "linkInContainer"),
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)
CONFIGS = st.dictionaries(KEYS, VALUES, max_size=6)


def nad(config: Any) -> dict[str, Any]:
    text = config if isinstance(config, str) else dumps(config, "config").decode()
    return {"metadata": {"name": "n", "namespace": "shop"}, "spec": {"config": text}}


@given(st.lists(CONFIGS, max_size=3) | st.lists(st.text(), max_size=2))
@settings(deadline=None)
def test_any_configuration_is_judged_or_a_problem(configs: list[Any]) -> None:
    known = networks_of(
        [], [{**nad(one), "metadata": {"name": f"n{i}"}} for i, one in enumerate(configs)]
    )
    assert len(known.networks) + len(known.problems) == len(configs) - configs.count("")
    node = survey(ETH0)
    for network in known.networks:
        for plugin in network.conflist.plugins:
            needed(plugin)
    list(judge_bridges(known.networks))
    list(judge_masters(link_needs(known.networks), node))


@given(VALUES, VALUES)
@settings(deadline=None)
def test_any_object_is_a_network_or_a_problem(plane: Any, spec: Any) -> None:
    objects = [{"metadata": {"name": "p"}, "spec": spec}, {"metadata": plane, "spec": {}}]
    known = networks_of(objects, objects)
    assert not known.planes or known.networks


@given(VALUES, VALUES)
@settings(deadline=None, max_examples=40)
def test_any_node_is_read(spec: Any, status: Any) -> None:
    kube = FakeKube((NODES, {"metadata": {"name": "n1"}, "spec": spec, "status": status}))
    found = asyncio.run(read_cluster_node(kube, "n1", lambda: NOW))
    for judge in (judge_node, judge_daemon):
        for one in judge(found) if not found.unread else ():
            assert one.what


@given(st.text(max_size=2000), st.text(max_size=50))
@settings(deadline=None)
def test_whatever_a_text_has_each_line_of_the_result_is_printable(text: str, other: str) -> None:
    one = Diagnosis(Severity.ERROR, text, other, text)
    out = io.StringIO()
    report(Console(out, io.StringIO(), {}), "n1", (CheckResult("x", "x", (one,)),))
    lines = out.getvalue().split("\n")
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
