"""`ObjectCache`: the last good value of each object of a kind, and the faults of the others."""

from __future__ import annotations

from typing import Any

import pytest

from planes.kube.informers.cache import ObjectCache, ObjectKey
from planes.model.errors import BadInput, JsonObject


def _read(obj: JsonObject) -> str:
    if obj["spec"] == "bad":
        raise BadInput("cannot read spec: it is bad", remedy="make it good")
    if obj["spec"] == "bug":
        raise TypeError("who would have thought")
    return str(obj["spec"])


def _object(name: str, spec: str, uid: str = "u1", **meta: Any) -> JsonObject:
    return {"metadata": {"name": name, "uid": uid, **meta}, "spec": spec}


class Counted:
    """A `ObjectCache` that counts its changes."""

    def __init__(self) -> None:
        self.changes = 0
        self.known: ObjectCache[str] = ObjectCache(_read, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def list(self, *objects: JsonObject) -> None:
        """Replace all objects by a list."""
        self.known.begin()
        for obj in objects:
            self.known.put(obj)
        self.known.finish()


def test_an_object_that_became_unreadable_keeps_its_last_good_value_and_is_a_fault() -> None:
    counted = Counted()
    counted.list(_object("a", "one"))
    counted.known.put(_object("a", "bad"))
    assert counted.known.get("", "a") == "one"
    assert counted.known.faults() == {
        ObjectKey("", "a"): "cannot read spec: it is bad; make it good"
    }


def test_the_last_good_value_survives_a_new_listing() -> None:
    counted = Counted()
    counted.list(_object("a", "one"))
    counted.list(_object("a", "bad"))
    assert (counted.known.get("", "a"), len(counted.known.faults())) == ("one", 1)


def test_a_bug_in_reading_keeps_the_last_good_value_too() -> None:
    counted = Counted()
    counted.list(_object("a", "one"))
    counted.known.begin()
    with pytest.raises(TypeError):
        counted.known.put(_object("a", "bug"))
    counted.known.finish()
    assert (counted.known.get("", "a"), len(counted.known.faults())) == ("one", 1)


def test_an_unreadable_object_that_was_created_anew_has_no_value() -> None:
    counted = Counted()
    counted.list(_object("a", "one", uid="u1"))
    counted.list(_object("a", "bad", uid="u2"))
    assert counted.known.get("", "a") is None


def test_a_mended_object_is_no_fault_any_more() -> None:
    counted = Counted()
    counted.list(_object("a", "bad"))
    counted.known.put(_object("a", "two"))
    assert (counted.known.get("", "a"), counted.known.faults()) == ("two", {})


def test_a_fault_goes_with_its_object() -> None:
    counted = Counted()
    counted.list(_object("a", "bad"))
    counted.known.drop(_object("a", "bad"))
    assert not counted.known.faults()


def test_what_a_listing_has_counts_at_once_and_what_it_lacks_goes_when_it_is_finished() -> None:
    counted = Counted()
    counted.list(_object("a", "one"), _object("b", "one"))
    counted.known.begin()
    counted.known.put(_object("a", "two"))
    assert list(counted.known.values()) == ["two", "one"]
    assert counted.changes == 1
    counted.known.finish()
    assert list(counted.known.values()) == ["two"]
    assert counted.changes == 2


def test_a_listing_that_broke_off_is_forgotten() -> None:
    counted = Counted()
    counted.list(_object("a", "one"))
    counted.known.begin()
    counted.known.put(_object("b", "one"))
    counted.list(_object("a", "one"))
    assert counted.known.get("", "b") is None


def test_a_listing_is_one_change() -> None:
    counted = Counted()
    counted.list(*(_object(str(number), "one") for number in range(10)))
    assert counted.changes == 1


def test_what_does_not_change_the_value_is_no_change_and_keeps_the_very_value() -> None:
    counted = Counted()
    value = "".join(["o", "ne"])
    counted.list(_object("a", value))
    before = counted.known.get("", "a")
    counted.known.put(_object("a", "one", resourceVersion="7"))
    counted.list(_object("a", "one"))
    assert counted.changes == 1
    assert counted.known.get("", "a") is before
