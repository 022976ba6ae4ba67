"""Checks run side by side: one that hangs, fails or finds too much costs the others nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from planes.cli.doctor.checkup import Check, Gathered, examine
from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis, hint
from planes.model.errors import Unavailable

ONE = hint("what", "why", "mend")


def endless() -> Iterator[Diagnosis]:
    yield ONE
    threading.Event().wait()


def test_what_a_check_found_before_it_hung_is_kept() -> None:
    checks = [Check("a", "hangs", endless), Check("b", "ends", lambda: [ONE])]
    first, second = examine(checks, 3)
    assert (first.found, first.unchecked) == ((ONE,), "it did not end within 3 s")
    assert (second.found, second.unchecked) == ((ONE,), "")


def test_an_error_of_any_kind_is_the_reason() -> None:
    def fails(error: Exception) -> Check:
        def look() -> list[Diagnosis]:
            raise error

        return Check("x", "x", look)

    errors = [
        CannotCheck("no facts"),
        PermissionError(13, "Permission denied"),
        FileNotFoundError(2, "No such file or directory", "/x/ca.crt"),
        KeyError("k"),
    ]
    reasons = [one.unchecked for one in examine([fails(error) for error in errors])]
    assert reasons == [
        "no facts",
        "Permission denied",
        "/x/ca.crt: No such file or directory",
        "KeyError: 'k'",
    ]


@pytest.mark.parametrize(
    ("count", "unchecked"), [(200, ""), (201, "it finds more than 200: the first are shown")]
)
def test_a_check_reports_a_bounded_number_and_says_so(count: int, unchecked: str) -> None:
    (result,) = examine([Check("x", "x", lambda: (ONE for _ in range(count)))])
    assert (len(result.found), result.unchecked) == (200, unchecked)


def test_a_reason_has_no_escapes() -> None:
    def look() -> list[Diagnosis]:
        raise CannotCheck("a\x1b[31mb\n" + "c" * 1000)

    (result,) = examine([Check("x", "x", look)])
    assert result.unchecked.isprintable()
    assert len(result.unchecked) <= 300


def test_facts_are_read_once_for_all_checks() -> None:
    reads: list[int] = []

    def read() -> tuple[Diagnosis, ...]:
        reads.append(1)
        return (ONE,)

    facts = Gathered("facts", read)
    examine([Check(str(n), "x", facts.value) for n in range(4)])
    assert reads == [1]


def test_facts_that_hang_or_fail_are_named() -> None:
    hung = Gathered("the links", threading.Event().wait, 0.2)
    with pytest.raises(CannotCheck, match="no end of reading the links"):
        hung.value()

    def fail() -> None:
        raise Unavailable("cannot list planes: away")

    with pytest.raises(CannotCheck, match="planes: cannot list planes: away"):
        Gathered("planes", fail).value()


def test_a_thread_that_hangs_does_not_keep_the_program(tmp_path: Path) -> None:
    """It opens a FIFO, for which no writer comes."""
    os.mkfifo(tmp_path / "fifo")
    text = (
        "import sys\nfrom planes.cli.doctor.checkup import Check, examine\n"
        "print(examine([Check('x', 'x', lambda: open(sys.argv[1]))], 0.2)[0].unchecked)\n"
    )
    argv = [sys.executable, "-c", text, str(tmp_path / "fifo")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
    assert "did not end" in done.stdout


def test_texts_are_one_printable_line() -> None:
    told = hint("a\x1b[2Jb\nc", "w" * 1000, "m\u202ex").as_json("masters")
    assert told["what"] == "a?[2Jb c"
    assert len(told["why"]) == 400
    assert told["mend"] == "m?x"
    assert (told["check"], told["severity"]) == ("masters", "hint")
