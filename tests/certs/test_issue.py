"""What we issue is what RFC 5280 and strict clients want, and belongs together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.bundle import Bundle, Certificate, Pair, split_keys, verify
from certs.issue import Lifetimes, issue_root, issue_serving
from planes.model.errors import BadInput
from tests.support.certificates import LIFETIMES, NAMES, make_root, make_serving

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


def test_a_root_may_sign_certificates_and_nothing_else() -> None:
    root = make_root(NOW).certificate.x509
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    with pytest.raises(x509.ExtensionNotFound):
        root.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_a_serving_certificate_may_serve_and_never_sign() -> None:
    leaf = make_serving(make_root(NOW), NOW).certificate.x509
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert constraints.value == x509.BasicConstraints(ca=False, path_length=None)
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_names_and_addresses_become_alternative_names_of_their_kind() -> None:
    leaf = make_serving(make_root(NOW), NOW).certificate
    names = leaf.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert leaf.names == frozenset(NAMES)


def test_keys_are_p256() -> None:
    key = make_root(NOW).certificate.x509.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_validity_starts_in_the_past_so_that_slow_clocks_accept_it() -> None:
    pair = make_serving(make_root(NOW), NOW)
    assert pair.certificate.not_before == NOW - LIFETIMES.backdate
    assert pair.certificate.not_after == NOW + LIFETIMES.serving


def test_a_serving_certificate_never_outlives_its_root() -> None:
    late = NOW + LIFETIMES.root - timedelta(days=3)
    root = make_root(NOW)
    assert make_serving(root, late).certificate.not_after == root.certificate.not_after


def test_serials_are_the_ones_given() -> None:
    assert make_root(NOW, 0xABC).certificate.id == "abc"


def test_two_roots_never_share_a_name() -> None:
    names = {make_root(NOW, serial).certificate.x509.subject for serial in (1, 2)}
    assert len(names) == 2


def test_a_certificate_without_a_name_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot issue a serving certificate: it needs a name"):
        issue_serving(make_root(NOW), (), NOW, 2, LIFETIMES)


def test_an_expired_root_does_not_sign() -> None:
    root = issue_root(NOW, 1, Lifetimes(root=timedelta(days=1)))
    with pytest.raises(BadInput, match="the root is not valid now"):
        make_serving(root, NOW + timedelta(days=2))


def test_a_fresh_pair_verifies_against_its_root() -> None:
    root = make_root(NOW)
    verify(make_serving(root, NOW), [root.certificate], NOW, "tls.crt")


def test_a_pair_of_another_root_is_refused_even_under_the_same_name() -> None:
    """Subject names are equal here, so only the signature tells the roots apart."""
    root, impostor = make_root(NOW, 7), make_root(NOW, 7)
    with pytest.raises(BadInput, match="no trusted root leads to it"):
        verify(make_serving(impostor, NOW), [root.certificate], NOW, "tls.crt")


@pytest.mark.parametrize("shift", [timedelta(days=91), timedelta(hours=-2)])
def test_a_pair_outside_its_validity_is_refused_with_its_dates(shift: timedelta) -> None:
    root = make_root(NOW)
    with pytest.raises(BadInput, match="valid from 2027-01-15T07:00:00Z to 2027-04-15T08:00:00Z"):
        verify(make_serving(root, NOW), [root.certificate], NOW + shift, "tls.crt")


def test_a_key_of_another_certificate_is_refused() -> None:
    root = make_root(NOW)
    one, other = make_serving(root, NOW), make_serving(root, NOW, 3)
    with pytest.raises(BadInput, match="private key belongs to another certificate"):
        Pair.parse(one.chain, other.key, "tls.crt")


@pytest.mark.parametrize("text", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput, match="no valid PEM certificate"):
        Certificate.parse_all(text, "tls.crt")


def test_what_is_no_key_is_refused_without_being_quoted() -> None:
    root = make_root(NOW)
    with pytest.raises(BadInput) as caught:
        Pair.parse(root.certificate.pem, b"hush hush", "tls.crt")
    assert "hush" not in str(caught.value)


def test_a_key_never_shows_in_a_repr() -> None:
    root = make_root(NOW)
    assert "PRIVATE" not in repr(root)
    assert "PRIVATE" not in repr(Bundle(keys=(root.key,)))


def test_a_bundle_finds_the_key_of_a_root_and_the_root_of_a_certificate() -> None:
    old, new = make_root(NOW, 1), make_root(NOW, 2)
    keys = split_keys(new.key + b"\n" + old.key)
    bundle = Bundle((old.certificate, new.certificate), keys)
    signer = bundle.signing_pair("2")
    assert signer is not None
    assert bundle.issuer_of(make_serving(signer, NOW, 9).certificate) == new.certificate
    assert Bundle((old.certificate,)).issuer_of(signer.certificate) is None
    assert Bundle((old.certificate,), (new.key,)).signing_pair("1") is None
