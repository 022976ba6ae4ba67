"""What was done to the JSON of an annotation is told with the remedy for that very slip."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.annotations.selection import read_selections
from planes.model.annotations.slips import remedy_for_text
from planes.model.state.static_ips import read_static_ips

MV = [{"name": "mv"}]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('[{"name": "other/dual"}]', 'write "namespace": "other", "name": "dual"'),
        ('[{"name": "dual@net1"}]', 'write "name": "dual", "interface": "net1"'),
        ('["mv"]', 'write {"name": "mv"}'),
        ('"mv"', "remove the quotes"),
        ('{"name": "mv"}', "put it in [ ]"),
        (json.dumps(json.dumps(MV)), "JSON in quotes once more: remove the outer quotes"),
        (f"'{json.dumps(MV)}'", "remove the quotes before and after it"),
        (f"`{json.dumps(MV)}`", "remove the quotes before and after it"),
        ("[{'name': 'mv'}]", "write double quotes"),
        ("[{\u201cname\u201d: \u201cmv\u201d}]", "typographic quotes"),
        ('[{"name": "mv",}]', "remove the comma before the closing bracket"),
        ('[{"name": "mv"}', "close every bracket"),
        ("[{name: mv}]", "put each name in double quotes"),
        ('- name: mv\n  mac: "02:00:00:00:00:01"', "it is YAML"),
        ("- name: mv", "or a JSON list"),
        ("'mv'", "no quotes"),
        ("mv\nother", "commas between"),
        ('[{\\"name\\": \\"mv\\"}]', "remove the \\ before each"),
        ('|\n[{"name": "mv"}]', "remove the | or >"),
    ],
)
def test_networks_that_went_through_other_hands(text: str, remedy: str) -> None:
    finding = read_selections(text, "shop").errors[0]
    assert finding.message.startswith("cannot ")
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (json.dumps('{"business": ["10.0.0.1"]}'), "JSON in quotes once more"),
        ("{'business': ['10.0.0.1']}", "write double quotes"),
        ("business: [10.0.0.1]", "it is YAML"),
        ('{"business": ["10.0.0.1"],}', "remove the comma"),
        ('["10.0.0.1"]', 'write {"business"'),
        ("10.0.0.1", 'write {"business"'),
    ],
)
def test_static_addresses_that_went_through_other_hands(text: str, remedy: str) -> None:
    assert remedy in read_static_ips(text).errors[0].remedy


def test_a_long_text_is_judged_by_its_beginning_and_its_last_character() -> None:
    long = json.dumps([{"name": f"network-{n}"} for n in range(400)])
    assert "remove the quotes before and after it" in remedy_for_text(f"'{long}'")
    assert remedy_for_text(f"{long}]") == ""


@given(st.text(alphabet="[]{}\"'\\ ,:-|>ab\n", max_size=200))
def test_any_text_gets_at_most_one_remedy(text: str) -> None:
    assert isinstance(remedy_for_text(text), str)
