"""No secret stays in a text, a line or a value, in whatever form it was written."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.dump.redaction import (
    LONGEST_TEXT,
    REDACTED,
    LineRedactor,
    redact_text,
    redact_value,
)

SECRET = "Zq7-hunter2.Zq7"
NAMES = st.sampled_from(
    [
        "password",
        "PGPASSWORD",
        "db-passwd",
        "clientSecret",
        "api_key",
        "X-Api-Key",
        "bootstrapToken",
        "DB_PASS",
        "pw",
        "auth",
        ".dockerconfigjson",
        "sessionId",
        "sig",
    ]
)
LETTERS = string.ascii_letters + string.digits + "!#%^*+/.-_~"
SECRETS = st.text(LETTERS, min_size=6, max_size=40).map("ZQ{}".format)
ODD = st.text(string.printable + "\x1b\x9b\u202eé\\\"'", max_size=30)
PLAIN = st.text(string.ascii_lowercase + " .", max_size=20)

ASSIGNED = (
    *("{n}={s}", "{n}: {s}", "{n} = {s}", "{n}:={s}", "{n}='{s}'", '"{n}": "{s}"', "'{n}':'{s}'"),
    *("--{n}={s}", "--{n} {s}", '["--{n}","{s}"]', "['--{n}', '{s}']", "--{n}   '{s}'"),
    *("- --{n}\n- {s}", '{{"name": "{n}", "value": "{s}"}}', "{n}: |\n  {s}", "{n}:\n    {s}"),
    *("https://u:{s}@h:1/p", "postgres://:{s}@db", "Authorization: Bearer {s}", "bearer {s}"),
    *("name: {n}\n  value: {s}", '- name: "{n}"\n  value: "{s}"'),
    *("?{n}={s}&x=1", "{n}=\"a\"'{s}'", '"{n}": ["x", "{s}"]', '{n}: {{"a": "{s}"}}'),
)


@given(st.sampled_from(ASSIGNED), NAMES, SECRETS, PLAIN, ODD)
def test_no_form_of_an_assignment_keeps_its_value(
    form: str, name: str, secret: str, before: str, after: str
) -> None:
    found = redact_text(f"{before} {form.format(n=name, s=secret)} {after}")
    assert secret not in found


@given(st.sampled_from(ASSIGNED), NAMES, SECRETS, st.integers(1, 3))
def test_json_within_json_keeps_no_value(form: str, name: str, secret: str, depth: int) -> None:
    text: Any = form.format(n=name, s=secret)
    for _ in range(depth):
        text = json.dumps({"level": "info", "event": text, "after": "kept"})
    assert secret not in redact_text(text)


@given(NAMES, st.text(string.printable, min_size=8, max_size=40), st.integers(0, 3))
def test_a_quoted_value_is_redacted_to_its_own_end(name: str, secret: str, depth: int) -> None:
    text = json.dumps({name: f"Q{secret}Q", "after": "kept"})
    for _ in range(depth):
        text = json.dumps({"text": text})
    found = redact_text(text)
    for _ in range(depth):
        found = json.loads(found)["text"]
    assert json.loads(found) == {name: REDACTED, "after": "kept"}


@given(ODD, ODD)
def test_a_pem_block_leaves_nothing_of_its_body(before: str, after: str) -> None:
    pem = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END EC PRIVATE KEY-----"
    assert SECRET not in redact_text(f"{before}{pem}{after}")
    assert SECRET not in redact_text(json.dumps({"x": f"{before}{pem}"}))
    assert SECRET not in redact_text(f"{before}{pem[:-40]}")


JSON_VALUES = st.recursive(
    st.none() | st.integers() | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD, inner, max_size=4),
    max_leaves=12,
)
HELD = st.sampled_from(
    [
        {"password": SECRET},
        {"auth": {"clientSecret": [SECRET]}},
        {"args": ["run", "--password", SECRET]},
        {"args": [f"--token={SECRET}"]},
        {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
        {"url": f"https://me:{SECRET}@host/"},
        {"note": f"token: {SECRET}"},
        {"inner": json.dumps({"secret": SECRET})},
        {f"password={SECRET}": 1},
    ]
)


@given(JSON_VALUES, HELD, JSON_VALUES)
def test_no_value_keeps_a_secret(before: Any, held: Any, after: Any) -> None:
    value = {"a": before, "b": [held, {"c": held}], "d": after}
    assert SECRET not in json.dumps(redact_value(value), ensure_ascii=False)


@given(JSON_VALUES)
def test_what_is_returned_has_no_terminal_escapes(value: Any) -> None:
    def texts(found: Any) -> list[str]:
        if isinstance(found, str):
            return [found]
        inner = [*found, *found.values()] if isinstance(found, dict) else found
        return [text for one in inner for text in texts(one)] if isinstance(inner, list) else []

    kept = "".join(texts(redact_value(value)))
    assert all(letter.isprintable() or letter in "\n\t" for letter in kept)


def lines(*texts: str) -> list[str]:
    redactor = LineRedactor()
    return [redactor.line(text) for text in texts]


T = "2026-11-30T10:00:00.000000000Z "


def test_a_pem_block_of_several_lines_is_redacted_to_its_end() -> None:
    found = lines(
        f"{T}loaded -----BEGIN PRIVATE KEY-----",
        f"{T}{SECRET}",
        f"{T}-----END PRIVATE KEY-----",
        f"{T}ready",
    )
    hidden = T + REDACTED
    assert found == [f"{T}loaded {REDACTED}", hidden, hidden, f"{T}ready"]


def test_a_pem_block_without_its_beginning_is_redacted() -> None:
    """The log was cut inside it."""
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    assert lines(T + body, T + "QIDAQAB==", T + "ready") == [
        T + REDACTED,
        T + REDACTED,
        T + "ready",
    ]


def test_the_argument_on_the_next_line_is_redacted() -> None:
    assert lines(f"{T}  - --db-password", f"{T}  - {SECRET}", f"{T}  - -v") == [
        f"{T}  - --db-password",
        T + REDACTED,
        f"{T}  - -v",
    ]


def test_an_indented_block_is_redacted() -> None:
    found = lines(f"{T}token: |", f"{T}  {SECRET}", f"{T}  more", f"{T}ready")
    assert SECRET not in "".join(found)
    assert found[-1] == f"{T}ready"


def test_a_block_that_never_ends_hides_a_bounded_number_of_lines() -> None:
    found = lines("-----BEGIN PRIVATE KEY-----", *["a line"] * 500)
    assert found[-1] == "a line"


@pytest.mark.parametrize(
    "text",
    [
        "cannot find plane business: no such plane",
        "a3f1c2d4e5f60718293a4b5c6d7e8f90a3f1c2d4e5f60718293a4b5c6d7e8f90",
        '{"ts":"2026-11-30T10:00:00Z","level":"info","event":"attached","pod":"shop/web-0"}',
        "the token was renewed",
        "GET https://10.0.0.1:6443/api/v1/pods?limit=500",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "AKIAABCDEFGHIJKLMNOP",
        "ghp_abcdefghijklmnopqrst0123",
        "abcdef.0123456789abcdef",
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx",
    ],
)
def test_tokens_are_known_by_their_form(secret: str) -> None:
    assert secret not in redact_text(f"got {secret} from there")


HOSTILE = [
    "://a:x",
    "pwd=a ",
    "token:\n",
    "\\",
    '"',
    "://",
    "eyJ",
    "-----BEGIN A-----",
    "--token ",
    "{",
    "@",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_text_is_redacted_in_bounded_steps(piece: str) -> None:
    """Quadratic steps would take minutes: the timeout of a test is half of one."""
    text = piece * (LONGEST_TEXT // len(piece))
    for _ in range(5):
        redact_text(f"password={text}")
        redact_text(text)


def test_a_long_text_is_cut() -> None:
    assert len(redact_text("a" * (2 << 20))) < LONGEST_TEXT + 10


@pytest.mark.parametrize(
    "value",
    [
        {"name": "DB_PASSWORD", "value": SECRET},
        {"Value": SECRET, "Name": "DB_PASSWORD"},
        {"key": "token", "value": {"a": SECRET}},
        {"name": "token", "values": [SECRET], "valueFrom": SECRET},
    ],
)
def test_what_a_member_names_as_a_secret_is_redacted_in_those_beside_it(value: Any) -> None:
    assert SECRET not in json.dumps(redact_value([value]))


@pytest.mark.parametrize("name", ["compass", "passing", "author", "signal", "pwm", "bypass"])
def test_a_word_that_only_begins_or_ends_like_a_secret_stays(name: str) -> None:
    assert redact_value({name: "kept"}) == {name: "kept"}
