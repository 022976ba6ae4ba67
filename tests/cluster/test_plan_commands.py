"""`netplane plan` on a real API server: what is imported is taken, and exported the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.cluster.rest import NAMESPACES, PLANES, Rest, serve_planes
from tests.support.command_line import Outcome, netplane
from tests.support.plans import ARTICLE, ARTICLE_ANSWERS, network, plan_of

PLAN = str(ARTICLE / "network-plan.json")


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as made:
        rest = Rest(made)
        serve_planes(made, rest)
        rest.close()
        yield made


def plan(server: ApiServer, *words: str, user: str = "admin") -> Outcome:
    """Run a command that reads the cluster."""
    return netplane("plan", *words, "--kubeconfig", str(server.kubeconfig(user)))


@pytest.fixture(scope="module")
def applied(server: ApiServer) -> str:
    """The manifests of the article's plan, applied as a person applies them."""
    before = plan(server, "diff", PLAN, *ARTICLE_ANSWERS)
    assert before.status == 1
    assert "Plane business (new)" in before.out
    manifests = netplane("plan", "import", PLAN, *ARTICLE_ANSWERS).out
    server.kubectl("create", "namespace", "business-apps")
    server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", text=manifests)
    server.kubectl("apply", "--validate=strict", "-f", "-", text=manifests)
    return manifests


def test_an_applied_plan_changes_nothing_more(server: ApiServer, applied: str) -> None:
    outcome = plan(server, "diff", PLAN, *ARTICLE_ANSWERS)
    assert (outcome.status, outcome.out) == (0, "the plan changes nothing of the cluster\n")
    assert netplane("plan", "import", PLAN, *ARTICLE_ANSWERS).out == applied


def test_an_exported_plan_is_imported_as_the_same_planes(
    server: ApiServer, applied: str, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    assert plan(server, "export", str(file)).out.endswith("plan.json: 2 planes\n")
    assert plan(server, "diff", str(file)).status == 0
    again = netplane("plan", "import", str(file)).out
    assert again == applied
    assert "unchanged" in server.kubectl("apply", "-f", "-", text=again)


def test_a_change_is_told_and_gone_once_it_is_applied(
    server: ApiServer, applied: str, tmp_path: Path
) -> None:
    assert applied
    words = (PLAN, *ARTICLE_ANSWERS, "--set", "business.gateway=192.168.100.2")
    outcome = plan(server, "diff", *words, "-o", "json")
    assert outcome.status == 1
    (change,) = outcome.json["changes"]
    (field,) = change["fields"]
    assert (field["old"], field["new"]) == ("192.168.100.1", "192.168.100.2")
    file = tmp_path / "planes.yaml"
    file.write_text(netplane("plan", "import", *words).out)
    server.kubectl("apply", "-f", str(file))
    assert plan(server, "diff", *words).status == 0
    server.kubectl("apply", "-f", "-", text=applied)


VALUES: dict[str, list[Any]] = {
    "purpose": ["", "x" * 256, "ü" * 256, "x" * 257, "two\nlines"],
    "interface": ["e" * 128, "e" * 129, "a/b", "a b", "", None, "e%d"],
    "podInterface": ["net1", "x" * 15, "x" * 16, "é" * 8, "a/b", "..", "", "eth0"],
    "resourceName": ["a.b/c", "x" * 317, "x" * 318, ""],
    "mode": ["bridge", "l2", "", "x" * 17],
    "mtu": [0, 1, 65535, 65536, True],
    "order": [-(2**31) + 1, -(2**31), 2**31 - 1, 2**31],
    "vlan": [0, 5],
    "cidr": ["10.9.0.0/8", "10.9.0.0/30", "10.9.0.0/31", "0.0.0.0/0", "FD00::/64", "::1/128"],
    "ranges": [[], ["10.9.0.5"], ["10.9.0.9-10.9.0.5"], ["10.8.0.1"], ["10.9.0.5"] * 2],
    "exclude": [["10.9.0.0/24"], ["10.9.0.5"], ["x"]],
    "reservations": [[{"ip": "10.9.0.7", "namespace": "a"}], [{"ip": "10.9.0.7"}], [{"ip": "x"}]],
    "metadata": [{"labels": {"a/b": "c"}}, {"labels": {"a/b/c": "x"}}, {"annotations": {"a": ""}}],
    "namespaces": [["a"], {"a": "required"}, {"a": "x"}, ["x" * 64]],
    "spec": [{"ipam": {"mode": "Plane", "blockSize": 33}}, {"foo": 1}, {"attachment": "OnRequest"}],
}


@pytest.mark.parametrize("word", VALUES)
def test_no_plan_is_called_complete_that_the_server_refuses(server: ApiServer, word: str) -> None:
    sound = 0
    with closing(Rest(server)) as rest:
        for value in VALUES[word]:
            found = plan_of(zone=network(**{"gateway": None, "ranges": None, word: value}))
            for obj in found.objects() if found.is_sound else ():
                sound += 1
                path = PLANES if obj["kind"] == "Plane" else NAMESPACES
                reply = rest.try_out(path, obj)
                assert reply.is_success, (value, reply.message)
    assert sound or word == "vlan"


def test_a_user_without_the_right_is_told_which_it_is(server: ApiServer, applied: str) -> None:
    assert applied
    for words in (("export",), ("diff", PLAN, *ARTICLE_ANSWERS)):
        outcome = plan(server, *words, user="alice")
        assert outcome.status == 1
        assert "the right to list planes.netplane.io is missing" in outcome.err


def test_a_user_that_acts_as_another_has_that_one_s_rights(
    server: ApiServer, applied: str, tmp_path: Path
) -> None:
    assert applied
    content = json.loads(server.kubeconfig().read_text())
    content["users"][0]["user"] |= {"as": "alice", "as-groups": ["dev"]}
    file = tmp_path / "config"
    file.write_text(json.dumps(content))
    outcome = netplane("plan", "export", "--kubeconfig", str(file))
    assert outcome.status == 1
    assert 'User "alice" cannot list resource "planes"' in outcome.err
