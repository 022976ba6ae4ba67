"""A failed comparison names the object and the fields that differ, on a line for each side."""

from __future__ import annotations

from tests.interop.difference import difference

LINK = 'host: link {"IFLA_IFNAME": "br0", "IFLA_LINKINFO": {"IFLA_MODE": %s}, "IFLA_MTU": %s}'


def test_equal_sides_have_no_difference() -> None:
    assert difference({"file a", LINK % (1, 2)}, {LINK % (1, 2), "file a"}) == ""


def test_an_object_of_both_sides_is_shortened_to_what_differs() -> None:
    assert difference({LINK % (1, 1500)}, {LINK % (2, 1500)}).splitlines() == [
        "- host: link br0: IFLA_LINKINFO.IFLA_MODE 1",
        "+ host: link br0: IFLA_LINKINFO.IFLA_MODE 2",
    ]


def test_what_one_side_lacks_is_shown_as_it_is() -> None:
    assert difference({LINK % (1, 1500)}, set()) == f"- {LINK % (1, 1500)}"
    assert difference({"file a {"}, {"file b {"}).splitlines() == ["- file a {", "+ file b {"]
