"""A bundle goes into a Secret and comes out the same; whatever else is in it does no harm."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from certs.bundle import Bundle
from certs.secret import read, write
from planes.model.errors import JsonObject
from tests.support.certificates import make_root, make_serving

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
OLD, NEW = make_root(NOW, 1), make_root(NOW, 2)
PAIR = make_serving(NEW, NOW, 3)
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
    found = read(write(None, BUNDLE, "ns", "name"), "Secret")
    assert found.bundle == BUNDLE
    assert found.problems == ()


def test_without_a_certificate_both_its_keys_are_there_and_empty() -> None:
    obj = write(None, Bundle((OLD.certificate,), (OLD.key,)), "ns", "name")
    assert obj["data"]["tls.crt"] == obj["data"]["tls.key"] == ""
    assert read(obj, "Secret").problems == ()


def test_a_written_secret_is_small() -> None:
    obj = write(None, BUNDLE, "ns", "name")
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
    assert read(write(obj, BUNDLE, "ns", "name"), "Secret").bundle == BUNDLE
