"""Which pods name a NAD of their own namespace."""

from __future__ import annotations

from planes.model.bounds import MAX_NAD_USERS
from planes.model.objects import NadRef
from planes.model.state.nad_users import NadUsers

OWN, OTHER = NadRef("shop", "own"), NadRef("ops", "shared")


def test_pods_of_its_namespace_count_until_they_name_it_no_more() -> None:
    users = NadUsers()
    users.put("shop", "web-0", [OWN, OWN])
    users.put("shop", "web-1", [OWN])
    assert sorted(users.of(OWN)) == ["web-0", "web-1"]
    users.put("shop", "web-0", [])
    users.put("shop", "web-1", [NadRef("shop", "next")])
    assert users.of(OWN) == ()
    assert users.of(NadRef("shop", "next")) == ("web-1",)


def test_pods_of_other_namespaces_do_not_count() -> None:
    users = NadUsers()
    users.put("shop", "web-0", [OTHER])
    assert users.of(OTHER) == ()


def test_what_one_namespace_names_is_bounded_and_comes_back_with_room() -> None:
    users = NadUsers()
    for number in range(MAX_NAD_USERS + 10):
        users.put("shop", f"web-{number}", [OWN])
    users.put("ops", "web", [OTHER])
    assert len(users.of(OWN)) == MAX_NAD_USERS
    assert users.of(OTHER) == ("web",), "another namespace has its own room"
    for number in range(MAX_NAD_USERS + 10):
        users.put("shop", f"web-{number}", [])
    assert users.of(OWN) == ()
    users.put("shop", "last", [OWN])
    assert users.of(OWN) == ("last",)
