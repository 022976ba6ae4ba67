"""Versions are matched as text, compared as numbers, chosen as libcni chooses."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.wire.cniversion import (
    CURRENT,
    SUPPORTED,
    Verb,
    at_least,
    check_supported,
    check_verb,
    negotiate,
    parse_version,
)


@pytest.mark.parametrize("version", SUPPORTED)
def test_every_released_version_is_supported(version: str) -> None:
    assert check_supported(version) == version


def test_no_version_means_the_oldest() -> None:
    assert check_supported("") == "0.1.0"


@pytest.mark.parametrize("version", ["9.9.9", "1.0", "1.1.1", "v1.0.0", "1.0.0 ", "x" * 500])
def test_any_other_version_is_code_1_and_says_what_to_use(version: str) -> None:
    with pytest.raises(BadInput, match="incompatible CNI versions") as error:
        check_supported(version)
    assert error.value.cni_code == 1
    assert "1.1.0" in error.value.remedy
    assert len(str(error.value)) < 300


ALLOWED = {
    Verb.ADD: "0.1.0",
    Verb.DEL: "0.1.0",
    Verb.VERSION: "0.1.0",
    Verb.CHECK: "0.4.0",
    Verb.GC: "1.1.0",
    Verb.STATUS: "1.1.0",
}


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("verb", Verb)
def test_a_verb_is_allowed_from_the_version_that_has_it(version: str, verb: Verb) -> None:
    if SUPPORTED.index(version) >= SUPPORTED.index(ALLOWED[verb]):
        check_verb(version, verb)
        return
    with pytest.raises(BadInput, match=f"config version does not allow {verb}") as error:
        check_verb(version, verb)
    assert error.value.cni_code == 1


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", (0, 1, 0)), ("1", (1, 0, 0)), ("1.2", (1, 2, 0)), ("0.10.3", (0, 10, 3))],
)
def test_missing_numbers_are_zero(text: str, numbers: tuple[int, int, int]) -> None:
    assert parse_version(text) == numbers


@pytest.mark.parametrize(
    "text", ["a", "1.", ".1", "1.2.3.4", "-1", "1.0.0-rc1", "१", "1\n", "9" * 5000]
)
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_version(text)
    assert error.value.cni_code == 1


def test_versions_compare_as_numbers() -> None:
    assert at_least("0.10.0", "0.4.0")
    assert at_least("1.0", "1.0.0")
    assert not at_least("", "0.2.0")


@pytest.mark.parametrize(
    ("conf", "chosen"),
    [
        ({}, ""),
        ({"cniVersion": "0.4.0"}, "0.4.0"),
        ({"cniVersion": "strange"}, "strange"),
        ({"cniVersions": ["0.3.1", "1.1.0", "1.0.0"]}, "1.1.0"),
        ({"cniVersion": "0.4.0", "cniVersions": ["0.3.1"]}, "0.4.0"),
        ({"cniVersion": "0.3.1", "cniVersions": ["0.4.0", "7.0.0"]}, "0.4.0"),
        ({"cniVersion": "0.3.1", "cniVersions": []}, "0.3.1"),
        ({"cniVersion": "2.0.0", "cniVersions": ["0.10.0", "0.4.0"]}, "0.10.0"),
    ],
)
def test_the_highest_version_not_newer_than_ours_is_chosen(
    conf: dict[str, Any], chosen: str
) -> None:
    assert negotiate(conf) == chosen


@pytest.mark.parametrize(
    ("conf", "code"),
    [
        ({"cniVersions": ["2.0.0"]}, 1),
        ({"cniVersions": ["1.0.0", "latest"]}, 1),
        ({"cniVersions": "1.0.0"}, 6),
        ({"cniVersions": [1]}, 6),
        ({"cniVersion": 1.0}, 6),
    ],
)
def test_versions_that_cannot_be_used_are_refused(conf: dict[str, Any], code: int) -> None:
    with pytest.raises(BadInput) as error:
        negotiate(conf)
    assert error.value.cni_code == code


def test_the_current_version_is_the_newest_supported() -> None:
    assert max(SUPPORTED, key=parse_version) == CURRENT
