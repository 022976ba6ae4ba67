"""The text of a plan, which anybody may have written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import BadInput
from planes.model.objects import Nad
from planes.model.plan.network_plan import MAX_NETWORKS, Beside, read_plan
from planes.model.plan.plan_text import MAX_FAULTS, MAX_PLAN_BYTES, MAX_VALUES
from tests.support.plans import network, paths, plan_of_text


def test_a_key_that_is_there_twice_is_named_with_its_path() -> None:
    text = '{"networks": {"a": {"cidr": "10.9.0.0/24", "cidr": "10.8.0.0/24"}}}'
    plan = plan_of_text(text)
    assert paths(plan.faults) == ["networks.a.cidr"]
    assert "twice" in plan.faults[0].message


def test_a_network_that_is_there_twice_is_named() -> None:
    assert paths(plan_of_text('{"networks": {"a": {}, "a": {}}}').faults) == ["networks.a"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 30])
def test_a_number_that_no_field_can_have_is_named(number: str) -> None:
    plan = plan_of_text(f'{{"networks": {{"a": {{"order": {number}}}}}}}')
    (fault,) = plan.faults
    assert fault.path == "networks.a.order"
    assert fault.message.startswith("cannot use a number ")


@pytest.mark.parametrize("letter", ["\\u001b[31m", "\\u009b", "\\ud800", "\\u0000"])
def test_a_text_that_no_terminal_should_get_is_named_and_not_repeated(letter: str) -> None:
    plan = plan_of_text(f'{{"networks": {{"a": {{"purpose": "{letter}"}}}}}}')
    assert paths(plan.faults) == ["networks.a.purpose"]
    assert str(plan.faults[0]).isprintable()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"\xff\xfe", "it is not UTF-8"),
        ("{", "line 1, column 2"),
        ("[" * 100_000, "it nests deeper than 32 levels"),
        ("1" * 5000, "too many digits"),
        (" " * (MAX_PLAN_BYTES + 1), "it is larger than 4 MiB"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_cause(text: str | bytes, cause: str) -> None:
    with pytest.raises(BadInput, match=cause):
        plan_of_text(text)


@pytest.mark.parametrize(
    ("value", "most"),
    [([0] * MAX_VALUES, f"{MAX_VALUES} values"), (json.loads("[" * 40 + "]" * 40), "32 levels")],
)
def test_a_plan_of_too_much_is_refused(value: object, most: str) -> None:
    plan = plan_of_text(json.dumps({"networks": {"a": {"ranges": value}}}))
    assert most in plan.faults[0].message


def test_faults_of_the_text_are_listed_up_to_a_bound() -> None:
    words = {f"w{n}": "\x1b" for n in range(2 * MAX_FAULTS)}
    assert len(plan_of_text(json.dumps({"networks": {"a": words}})).faults) == MAX_FAULTS


def test_more_networks_than_anybody_has_are_refused() -> None:
    networks: dict[str, object] = {f"n{n}": {} for n in range(MAX_NETWORKS + 1)}
    assert paths(plan_of_text(json.dumps({"networks": networks})).faults) == ["networks"]


def test_a_byte_order_mark_is_no_part_of_a_plan() -> None:
    assert plan_of_text("\ufeff" + json.dumps({"networks": {"a": network()}})).is_sound


WORDS = (
    *("cni", "cidr", "interface", "purpose", "ranges", "gateway", "vlan", "mtu", "subnets"),
    *("namespaces", "spec", "metadata", "network", "master", "type", "reservations", "ip"),
    *("namespace", "labels", "staticIPs", "ipam", "mode", "cdir", "x"),
)
WORD = st.sampled_from(WORDS) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.timeout(300)
@given(st.dictionaries(st.text(max_size=6), JSON, max_size=3))
def test_any_json_gives_a_plan_or_findings_that_one_line_each_can_show(value: object) -> None:
    """Nothing is raised, and a plan that is sound has manifests."""
    plan = plan_of_text(json.dumps({"networks": value}))
    for finding in (*plan.faults, *plan.missing, *plan.warnings):
        assert finding.message
        assert len(str(finding)) < 4096
    if plan.is_sound:
        json.dumps(plan.objects())


@pytest.mark.timeout(300)
@given(st.dictionaries(WORD, JSON, max_size=6))
def test_any_words_give_a_network_or_findings(words: object) -> None:
    plan = plan_of_text(json.dumps({"networks": {"a": words}}))
    assert plan.is_sound or plan.faults or plan.missing


@pytest.mark.timeout(300)
@given(st.dictionaries(WORD, JSON, max_size=6), st.dictionaries(WORD, JSON, max_size=4))
def test_any_words_beside_any_nad_give_a_network_or_findings(words: object, config: object) -> None:
    assert isinstance(config, dict)
    ipam = {"type": "host-local", "subnet": "10.9.0.0/24", "rangeStart": "10.9.0.10"}
    beside = Nad("shop", "a", json.dumps({"type": "macvlan", "ipam": ipam, **config}))
    value = json.loads(json.dumps({"networks": {"a": words, "default": {"cni": "flannel"}}}))
    plan = read_plan(value, Beside(nads=(beside,)))
    if plan.is_sound:
        json.dumps(plan.objects(), allow_nan=False)
