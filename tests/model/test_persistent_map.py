"""PersistentMap: a persistent mapping that equals a dict, whatever its layer was folded into."""

from __future__ import annotations

from planes.model.state.persistent_map import PersistentMap


def test_after_thousands_of_changes_it_equals_a_dict() -> None:
    expected: dict[int, int] = {}
    found: PersistentMap[int, int] = PersistentMap()
    for value in range(300):
        changes = {(value * 7919 + one * 10_007) % 20_000: value for one in range(100)}
        gone = {(value * 6761 + one * 331) % 20_000: None for one in range(20)}
        expected.update(changes)
        for key in gone:
            expected.pop(key, None)
        found = found.changed({**changes, **gone})
    assert dict(found.items()) == expected
    assert all(found.get(key) == expected.get(key) for key in range(20_000))


def test_who_holds_an_older_version_sees_no_later_change() -> None:
    old: PersistentMap[int, str] = PersistentMap({1: "a"})
    new = old.changed({1: None, **dict.fromkeys(range(2, 2000), "b")})
    assert (dict(old.items()), new.get(1), new.get(1999)) == ({1: "a"}, None, "b")
