"""Certificates, key pairs and bundles as values.

A `Bundle` holds the roots that API servers trust and the pair that the listener serves. Nothing
here reads a clock or a disk; `verify` takes the time as an argument. Private keys never appear in a
`repr` or an error text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from ipaddress import ip_address
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from planes.model.errors import BadInput

# What cryptography raises for a certificate it cannot read, some of it only when asked for a part.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_KEY_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>(?:[A-Z]+ )?PRIVATE KEY)-----.+?-----END (?P=label)-----\n?", re.DOTALL
)


@dataclass(frozen=True)
class Certificate:
    """One X.509 certificate; equal when its bytes are equal."""

    pem: bytes

    @classmethod
    def parse_all(cls, pem: bytes, what: str) -> tuple[Self, ...]:
        """Read every certificate of a PEM text, in order, and check that its parts can be read.

        Raises:
            BadInput: there is none, or one cannot be parsed.
        """
        try:
            found = x509.load_pem_x509_certificates(pem)
            for each in found:  # these are parsed only when asked for
                each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                _ = each.extensions
        except _UNREADABLE as exc:
            raise BadInput(
                f"cannot read {what}: it holds no valid PEM certificate",
                remedy="put a PEM encoded X.509 certificate there",
            ) from exc
        return tuple(cls(each.public_bytes(Encoding.PEM)) for each in found)

    @cached_property
    def x509(self) -> x509.Certificate:
        """The parsed certificate."""
        return x509.load_pem_x509_certificate(self.pem)

    @property
    def id(self) -> str:
        """The serial number in hexadecimal: the certificate's name in steps, logs and Leases."""
        return f"{self.x509.serial_number:x}"

    @property
    def not_before(self) -> datetime:
        """When validity begins, UTC."""
        return self.x509.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """When validity ends, UTC."""
        return self.x509.not_valid_after_utc

    @cached_property
    def names(self) -> frozenset[str]:
        """DNS names and addresses of the subject alternative name."""
        try:
            names = self.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return frozenset()
        return frozenset(
            str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
        )

    @cached_property
    def public_key_bytes(self) -> bytes:
        """The public key as DER, for comparing with a private key's."""
        key = self.x509.public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def is_valid_at(self, now: datetime) -> bool:
        """Report whether the certificate is valid at a time."""
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its intermediates and its private key (PEM)."""

    certificate: Certificate
    key: bytes = field(repr=False)
    intermediates: tuple[Certificate, ...] = ()

    @classmethod
    def parse(cls, chain: bytes, key: bytes, what: str) -> Self:
        """Read a chain (leaf first) and its key, and check that they belong together.

        Raises:
            BadInput: either cannot be parsed, or the key is another certificate's.
        """
        leaf, *rest = Certificate.parse_all(chain, f"the certificate of {what}")
        if public_bytes(key, f"the key of {what}") != leaf.public_key_bytes:
            raise BadInput(
                f"cannot use {what}: the private key belongs to another certificate",
                remedy="put certificate and key of the same issue there",
            )
        return cls(leaf, key, tuple(rest))

    @property
    def chain(self) -> bytes:
        """The chain that a listener sends, in PEM, leaf first."""
        return b"".join(each.pem for each in (self.certificate, *self.intermediates))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Trusted roots (oldest first), the keys we sign with, and the pair to serve."""

    roots: tuple[Certificate, ...] = ()
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    serving: Pair | None = None

    def signing_pair(self, root_id: str) -> Pair | None:
        """Return a root with its key, None where the bundle has no key of it."""
        for root in self.roots:
            if root.id == root_id:
                for key in self.keys:
                    if public_bytes(key, "a root's key") == root.public_key_bytes:
                        return Pair(root, key)
        return None

    def issuer_of(self, certificate: Certificate) -> Certificate | None:
        """Return the root that signed a certificate."""
        for root in self.roots:
            try:
                certificate.x509.verify_directly_issued_by(root.x509)
            except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
                continue
            return root
        return None


def split_keys(pem: bytes) -> tuple[bytes, ...]:
    """Return the private keys of a PEM text, in order; anything else in it is skipped."""
    return tuple(match.group(0) for match in _KEY_BLOCK.finditer(pem))


def public_bytes(key: bytes, what: str) -> bytes:
    """Return the DER public key of a PEM private key.

    Raises:
        BadInput: it cannot be parsed, or it is encrypted.
    """
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise BadInput(
            f"cannot read {what}: it is no PEM private key without a passphrase",
            remedy="put an unencrypted PEM private key there",
        ) from exc
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def general_name(name: str) -> x509.DNSName | x509.IPAddress:
    """Return a DNS name or an address as an X.509 name."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def verify(pair: Pair, roots: Sequence[Certificate], now: datetime, what: str) -> None:
    """Check that a client that trusts `roots` accepts the pair at a time, for one of its names.

    Without roots only the time is checked.

    Raises:
        BadInput: it is expired or not yet valid, has no name, or no root leads to it.
    """
    leaf = pair.certificate
    if not leaf.is_valid_at(now):
        raise BadInput(
            f"cannot use {what}: it is valid from {leaf.not_before:%Y-%m-%dT%H:%M:%SZ} "
            f"to {leaf.not_after:%Y-%m-%dT%H:%M:%SZ}, which is not now",
            remedy="issue a new certificate, or set the clock",
        )
    if not roots or leaf in roots:  # trusted as it is: a self-signed pair is its own ca.crt
        return
    if not leaf.names:
        raise BadInput(
            f"cannot use {what}: it is for no name",
            remedy="issue a certificate with subject alternative names; clients read no other",
        )
    builder = PolicyBuilder().store(Store([root.x509 for root in roots])).time(now)
    try:
        verifier = builder.build_server_verifier(general_name(min(leaf.names)))
        verifier.verify(leaf.x509, [each.x509 for each in pair.intermediates])
    except (VerificationError, ValueError) as exc:
        raise BadInput(
            f"cannot use {what}: no trusted root leads to it",
            remedy="put the root that signed it into ca.crt, or issue a new certificate",
        ) from exc
