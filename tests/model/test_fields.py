"""Members are read as Go reads them: exact name first, any case next, null as absent."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.decode import SPELLINGS, Fields
from planes.model.errors import BadInput


def fields(**members: Any) -> Fields:
    return Fields(members, "the netconf")


def test_an_exact_name_beats_one_in_another_case() -> None:
    assert fields(MTU=1, mtu=2, Mtu=3).integer("mtu") == 2


def test_a_name_matches_in_any_case() -> None:
    assert fields(MAC="02:00:00:00:00:01").string("mac") == "02:00:00:00:00:01"
    assert fields(cniversion="1.0.0").string("cniVersion") == "1.0.0"
    assert fields(mac="x").string("MAC") == "x"


def test_of_several_other_cases_the_last_wins() -> None:
    assert Fields({"Mtu": 1, "MTU": 2}, "x").integer("mtu") == 2


def test_null_counts_as_absent_even_beside_another_case() -> None:
    assert fields(mtu=None).integer("mtu", 7) == 7
    assert fields(mtu=None, MTU=3, mTU=None).integer("mtu") == 3
    assert not fields(mtu=None).has("mtu")


def test_letters_fold_one_to_one_as_in_go() -> None:
    assert fields(addreß="x").string("address") == ""
    assert fields(linK="y").string("link") == "y"


def test_absent_members_give_defaults() -> None:
    empty = fields()
    assert (empty.string("a"), empty.integer("a"), empty.boolean("a")) == ("", 0, False)
    assert (empty.strings("a"), empty.objects("a"), empty.children("a")) == ((), [], [])
    assert empty.object("a") is None
    assert empty.child("a") is None
    assert empty.optional_integer("a") is None
    assert empty.raw("a") is None


def test_zero_values_count_as_present() -> None:
    read = fields(a=0, b=False, c="")
    assert read.has("a")
    assert read.integer("a", 5) == 0
    assert read.boolean("b", default=True) is False
    assert read.string("c", "x") == ""


@pytest.mark.parametrize(
    ("getter", "value", "text"),
    [
        ("string", 1, "k must be a string, not a number"),
        ("integer", "1", "k must be an integer, not a string"),
        ("integer", 1.0, "k must be an integer, not a number"),
        ("integer", True, "k must be an integer, not a boolean"),
        ("integer", 1 << 64, "k must fit in 64 bits"),
        ("boolean", "true", "k must be a boolean, not a string"),
        ("strings", "a", "k must be a list, not a string"),
        ("strings", ["a", 1], r"k\[1\] must be a string, not a number"),
        ("strings", [None], r"k\[0\] must be a string, not null"),
        ("object", [], "k must be an object, not a list"),
        ("objects", {}, "k must be a list, not an object"),
        ("objects", [{}, None], r"k\[1\] must be an object, not null"),
    ],
)
def test_a_wrong_type_is_code_6_and_names_the_member(getter: str, value: Any, text: str) -> None:
    with pytest.raises(BadInput, match=f"^cannot read the netconf: {text}$") as error:
        getattr(fields(k=value), getter)("k")
    assert error.value.cni_code == 6


def test_the_error_names_the_whole_path() -> None:
    outer = fields(ipam={"ranges": [{}, {"subnet": 5}]}).child("ipam")
    assert outer is not None
    with pytest.raises(BadInput, match=r"ipam\.ranges\[1\]\.subnet must be a string"):
        outer.children("ranges")[1].string("subnet")


@pytest.mark.parametrize("known", [{}, {"NAME": "x"}, {"name": None, "Name": "x"}])
@pytest.mark.parametrize("getter", ["raw", "string", "boolean", "object", "objects", "integer"])
def test_every_getter_reads_a_key_in_any_case(getter: str, known: dict[str, Any]) -> None:
    """Of a key that is known or not, in an object with other cases or without."""
    values = {"string": "a", "boolean": True, "object": {"b": 1}, "objects": [{}], "integer": 5}
    value = values.get(getter, "a")
    for written, asked in (("MTU", "mtu"), ("mtu", "MTU"), ("xKey", "xkey"), ("mtu", "mtu")):
        assert getattr(fields(**known, **{written: value}), getter)(asked) == value


def test_a_child_is_read_once() -> None:
    read = fields(ipam={"type": "static"})
    assert read.child("ipam") is read.child("ipam")
    assert read.child("dns") is None


def test_known_spellings_have_no_two_that_differ_in_case_only() -> None:
    """An object of known spellings alone is read without folding, which would be wrong else."""
    assert len({name.casefold() for name in SPELLINGS}) == len(SPELLINGS)
