"""A bundle is written to a Secret and read back the same; other keys of it do no harm."""

from __future__ import annotations

from base64 import b64encode, encodebytes
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from certs.bundle import Bundle, Certificate, verify
from certs.facts import root_facts, serving_facts
from certs.issue import Lifetimes, issue_serving
from certs.secret import read, write
from planes.model.errors import BadInput, JsonObject
from tests.support.certificates import make_root, make_serving

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
OLD, NEW = make_root(NOW, 1), make_root(NOW, 2)
PAIR = make_serving(NEW, NOW, 3)
EMPTY = {"metadata": {"name": "name", "namespace": "ns"}, "type": "Opaque"}
BUNDLE = Bundle((OLD.certificate, NEW.certificate), (OLD.key, NEW.key), PAIR)

TEXTS = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=20),
    st.binary(max_size=60).map(lambda content: b64encode(content).decode()),
    st.sampled_from([PAIR.chain, PAIR.key, OLD.certificate.pem, OLD.key, b"-----BEGIN"]).flatmap(
        lambda pem: st.integers(0, len(pem)).map(lambda end: b64encode(pem[:end]).decode())
    ),
)


def test_what_was_written_is_read() -> None:
    found = read(write(EMPTY, BUNDLE), "Secret")
    assert found.bundle == BUNDLE
    assert found.problems == ()


def test_without_a_certificate_both_its_keys_are_there_and_empty() -> None:
    obj = write(EMPTY, Bundle((OLD.certificate,), (OLD.key,)))
    assert obj["data"]["tls.crt"] == obj["data"]["tls.key"] == ""
    assert read(obj, "Secret").problems == ()


def test_a_written_secret_is_small() -> None:
    obj = write(EMPTY, BUNDLE)
    assert sum(len(text) for text in obj["data"].values()) < 6000


@given(
    st.one_of(
        st.none(),
        st.text(),
        st.dictionaries(st.sampled_from(["tls.crt", "tls.key", "ca.crt", "ca.key", "x"]), TEXTS),
    )
)
def test_hostile_contents_are_read_as_missing_and_can_be_written_over(data: object) -> None:
    obj: JsonObject = {"metadata": {"name": "name", "namespace": "ns"}, "data": data}
    found = read(obj, "Secret")
    assert all("PRIVATE" not in each.message for each in found.problems)
    assert read(write(obj, BUNDLE), "Secret").bundle == BUNDLE


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(
    st.sampled_from(["tls.crt", "ca.crt"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
)
def test_a_certificate_with_altered_bytes_is_used_or_refused_with_an_error_of_ours(
    name: str, changes: list[tuple[float, int]]
) -> None:
    obj = write(EMPTY, Bundle((NEW.certificate,), (NEW.key,), PAIR))
    good = (PAIR if name == "tls.crt" else NEW).certificate
    obj["data"][name] = b64encode(_altered(good, changes)).decode()
    bundle = read(obj, "Secret").bundle
    facts = root_facts(bundle)
    try:
        if bundle.serving is not None:
            serving_facts(bundle, bundle.serving.certificate)
            verify(bundle.serving, bundle.roots, NOW, "it")
        root = bundle.signing_pair(facts[0].id) if facts else None
        if root is not None:
            issue_serving(root, ["a.example"], NOW, 4, Lifetimes())
    except BadInput:
        pass


def _altered(certificate: Certificate, changes: list[tuple[float, int]]) -> bytes:
    der = bytearray(certificate.x509.public_bytes(Encoding.DER))
    for where, byte in changes:
        der[int(where * len(der))] = byte
    lines = b"-----BEGIN CERTIFICATE-----\n", encodebytes(der), b"-----END CERTIFICATE-----\n"
    return b"".join(lines)
