"""Hostile texts as configurations of NADs: each gives findings, in little time."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.bounds import MAX_NAD_CONFIG_BYTES, MAX_NAD_FINDINGS
from planes.model.decide.nad_review import review_nad
from planes.model.spec.ipam_keys import IPAMS
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plugin_keys import PLUGINS
from tests.attacks.test_tenant_nads import GUARDED, VERSIONED, nad, refused
from tests.support.model import make_catalog

KEYS = sorted(
    {key.name for known in (*PLUGINS.values(), *IPAMS.values()) for key in known.keys.values()}
    | {"ipam", "type", "capabilities", "plugins", "name", "cniVersion", "args", "x"}
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(sorted({*PLUGINS, *IPAMS, "1.0.0", "br-x", "eth%d", "../x"})),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=24,
)
CONFIGS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), VALUES, max_size=10)


@given(
    CONFIGS,
    st.sampled_from(sorted(PLUGINS)) | st.text(max_size=8),
    st.lists(CONFIGS, max_size=3),
    st.booleans(),
)
def test_tenant_s_hostile_config_gives_findings_and_nothing_else(
    config: dict[str, Any], kind: str, chain: list[dict[str, Any]], is_list: bool
) -> None:
    plugins = [{**each, "type": kind} for each in (config, *chain)]
    whole = {**VERSIONED, "plugins": plugins} if is_list else {**config, **VERSIONED, "type": kind}
    try:
        text = orjson.dumps(whole).decode()
    except TypeError:  # an integer beyond 64 bits, or a lone surrogate
        return
    for policy in (GUARDED, NadPolicy()):
        found = review_nad(nad(text), make_catalog(nad_policy=policy))
        assert len(found.errors) <= MAX_NAD_FINDINGS + 8
        for finding in (*found.errors, *found.warnings):
            assert finding.message
            assert str(finding).isprintable()


@pytest.mark.parametrize("name", ["\x1f", "\n" * 9, "x" * 20_000])
def test_tenant_s_key_stands_in_no_error_as_it_was_written(name: str) -> None:
    """What cannot be read is told with the reader's own words, which name the member."""
    text = orjson.dumps({**VERSIONED, "type": "bridge", "capabilities": {name: 0}}).decode()
    (finding,) = review_nad(nad(text), make_catalog()).errors
    assert str(finding).isprintable()
    assert len(str(finding)) < 400


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_tenant_s_text_that_is_no_config_gives_one_error(text: str) -> None:
    assert len(refused(text)) == 1


LARGEST = [
    '{"cniVersion":"1.0.0","type":"bridge","x":' + "[" * 200 + "]" * 200 + "}",
    "{" + ",".join(f'"k{n}":1' for n in range(3000)) + ',"type":"bridge"}',
    '{"type":"bridge","ipam":{"type":"host-local","ranges":[' + ",".join(["[{}]"] * 6000) + "]}}",
    '{"type":"bridge","capabilities":{' + ",".join(f'"a{n}":1' for n in range(3000)) + "}}",
    '{"name":"own","plugins":[' + ",".join(['{"type":"bridge"}'] * 1500) + "]}",
    '{"type":"bridge","x":' + "9" * 30000 + "}",
    '{"type":"' + "m" * 30000 + '"}',
    '{"type":"bridge","' + "b" * 30000 + '":1}',
]


@pytest.mark.parametrize("text", LARGEST, ids=lambda text: text[:24])
def test_tenant_s_largest_config_costs_little(text: str) -> None:
    assert len(text) <= MAX_NAD_CONFIG_BYTES
    started = time.process_time()
    for _ in range(10):
        assert review_nad(nad(text), make_catalog(nad_policy=GUARDED)).errors
    assert time.process_time() - started < 5, "tenths of it are expected: it does not hang"
