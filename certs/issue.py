"""Issue certificates: an EC P-256 root, and serving certificates signed by it.

Time and serial numbers come from the caller, so only the keys are random. Validity begins a
little in the past (clocks differ), and no serving certificate is valid longer than its root.
Profiles follow RFC 5280 section 4.2 and pass the stricter web PKI rules of Go and `cryptography`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.bundle import Certificate, Pair, general_name
from planes.model.errors import BadInput

_COMMON_NAME_LIMIT = 64  # RFC 5280, upper bound ub-common-name


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long issued certificates are valid, and how far before `now` validity begins."""

    root: timedelta = timedelta(days=365)
    serving: timedelta = timedelta(days=90)
    backdate: timedelta = timedelta(hours=1)


def issue_root(now: datetime, serial: int, lifetimes: Lifetimes) -> Pair:
    """Issue a self-signed root; its name has the serial number, so that no two have one name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Netplane root {serial:x}")
    builder = (
        _builder(name, name, key, serial)
        .not_valid_before(now - lifetimes.backdate)
        .not_valid_after(now + lifetimes.root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    return _pair(builder.sign(key, SHA256()), key)


def issue_serving(
    root: Pair, names: Sequence[str], now: datetime, serial: int, lifetimes: Lifetimes
) -> Pair:
    """Issue a serving pair for DNS names and addresses, signed by a root.

    Raises:
        BadInput: there is no name, or the root cannot sign at this time.
    """
    signer = load_pem_private_key(root.key, password=None)
    if not names or not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise BadInput(
            "cannot issue a serving certificate: it needs a name and an EC root",
            remedy="give at least one DNS name or address, or remove ca.key for a new root",
        )
    if not root.certificate.is_valid_at(now):
        raise BadInput(
            "cannot issue a serving certificate: the root is not valid now",
            remedy="set the clock, or make a new root",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = root.certificate.x509
    builder = (
        _builder(_name(names[0][:_COMMON_NAME_LIMIT]), issuer.subject, key, serial)
        .not_valid_before(max(now - lifetimes.backdate, root.certificate.not_before))
        .not_valid_after(min(now + lifetimes.serving, root.certificate.not_after))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([general_name(name) for name in dict.fromkeys(names)]),
            critical=False,
        )
        .add_extension(
            _identifier(issuer, signer.public_key()),
            critical=False,
        )
    )
    return _pair(builder.sign(signer, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_COMMON_NAME_LIMIT])])


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _identifier(
    issuer: x509.Certificate, key: ec.EllipticCurvePublicKey
) -> x509.AuthorityKeyIdentifier:
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:  # a root that others made
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        Certificate(certificate.public_bytes(Encoding.PEM)),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
