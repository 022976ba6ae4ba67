"""Certificates for tests: roots and pairs at a time the test owns, serials that count up."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certs.bundle import Certificate, Pair
from certs.issue import Lifetimes, issue_root, issue_serving
from certs.metrics import CertificateMetrics
from certs.policy import RenewalSettings
from certs.rotate import Rotator
from certs.serving import RotatingContext
from certs.standalone import DirectoryAuthority
from planes.run.clock import Clock
from planes.run.metrics import Metrics

NAMES = ("localhost", "127.0.0.1", "::1")
LIFETIMES = Lifetimes()


def counting(start: int = 1) -> Callable[[], int]:
    """Return serial numbers that count up."""
    numbers = itertools.count(start)
    return lambda: next(numbers)


def make_root(now: datetime, serial: int = 1) -> Pair:
    """Make a root."""
    return issue_root(now, serial, LIFETIMES)


def make_plain_root(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, now: datetime, serial: int
) -> Pair:
    """Make a self-signed certificate without extensions, as other tools may."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"plain {serial:x}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(Certificate(certificate.public_bytes(Encoding.PEM)), pem)


def make_serving(root: Pair, now: datetime, serial: int = 2) -> Pair:
    """Make a serving pair for this machine."""
    return issue_serving(root, NAMES, now, serial, LIFETIMES)


def current() -> datetime:
    """Return the real time: TLS clients of the tests check against it."""
    return datetime.now(UTC)


def trusting(*roots: Pair) -> ssl.SSLContext:
    """Return a client's context that trusts these roots."""
    pem = b"".join(root.certificate.pem for root in roots).decode()
    return ssl.create_default_context(cadata=pem)


class Keeper:
    """A directory, its authority, the rotator and the context, wired as the webhook does."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        *,
        first_serial: int = 1,
        is_externally_managed: bool = False,
    ) -> None:
        self.metrics = Metrics()
        self.context = RotatingContext()
        counted = CertificateMetrics(self.metrics)
        self.authority = DirectoryAuthority(
            directory,
            NAMES,
            self.context,
            metrics=counted,
            lifetimes=LIFETIMES,
            serials=counting(first_serial),
            is_externally_managed=is_externally_managed,
        )
        self.rotator = Rotator(
            self.authority, RenewalSettings(frozenset(NAMES)), clock=clock, metrics=counted
        )

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric's value, 0 where it was never set."""
        return self.metrics.registry.get_sample_value(f"netplane_{name}", labels) or 0.0

    @property
    def shown(self) -> Pair:
        """What new handshakes get."""
        assert self.context.pair is not None
        return self.context.pair
