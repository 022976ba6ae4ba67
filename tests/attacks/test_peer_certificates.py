"""With --client-ca no peer gets as far as asking without a certificate of the API server's CA."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certs.bundle import Pair
from certs.serving import RotatingContext
from planes.model.errors import BadInput
from tests.support.certificates import current, make_root, make_serving, trusting
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.webhook.admission import Hook, hooked, pod_object, review_object
from webhook.client_ca import ClientCA

REVIEW = review_object(pod_object(namespace="plain"))
REFUSED = (OSError, ssl.SSLError, asyncio.IncompleteReadError)


class Clients:
    """A CA, and contexts of clients with certificates of it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._folder = folder
        self.pem = self._issue(self._key, self._name, is_ca=True).public_bytes(Encoding.PEM)

    def _issue(
        self, key: ec.EllipticCurvePrivateKey, name: x509.Name, *, is_ca: bool
    ) -> x509.Certificate:
        now = current()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )

    def equip(self, client: ssl.SSLContext) -> None:
        """Return a client a certificate of this CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
        path = self._folder / "client.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + self._issue(key, name, is_ca=False).public_bytes(Encoding.PEM)
        )
        client.load_cert_chain(path)


@pytest.fixture
def known(tmp_path: Path) -> Clients:
    return Clients(tmp_path, "known")


@pytest.fixture
def unknown(tmp_path: Path) -> Clients:
    return Clients(tmp_path, "unknown")


async def asks(hook: Hook) -> int:
    return (await hook.ask("/mutate/pods", REVIEW)).status


async def test_peer_without_a_certificate_is_refused_in_the_handshake(known: Clients) -> None:
    async with hooked(FakeStore()) as hook:
        hook.context.require_client_ca(known.pem)
        with pytest.raises(REFUSED):
            await asks(hook)
        with pytest.raises(REFUSED):
            await hook.ask("/readyz", method="GET")
        assert hook.metric("connections") == 0


async def test_peer_with_a_certificate_of_another_ca_is_refused(
    known: Clients, unknown: Clients
) -> None:
    async with hooked(FakeStore()) as hook:
        hook.context.require_client_ca(known.pem)
        unknown.equip(hook.client)
        with pytest.raises(REFUSED):
            await asks(hook)


async def test_peer_with_its_own_certificate_is_answered(known: Clients) -> None:
    async with hooked(FakeStore()) as hook:
        hook.context.require_client_ca(known.pem)
        known.equip(hook.client)
        assert await asks(hook) == 200


async def test_peer_is_still_asked_when_the_serving_pair_changes(
    known: Clients, unknown: Clients
) -> None:
    root: Pair = make_root(current())
    async with hooked(FakeStore()) as hook:
        hook.context.require_client_ca(known.pem)
        hook.context.swap(make_serving(root, current(), 7))
        hook.client = trusting(root)
        with pytest.raises(REFUSED):
            await asks(hook)
        known.equip(hook.client)
        assert await asks(hook) == 200
        hook.context.require_client_ca(unknown.pem)
        with pytest.raises(REFUSED):
            await asks(hook)


async def test_peer_is_held_to_the_file_as_it_is_now(
    known: Clients, unknown: Clients, tmp_path: Path
) -> None:
    """A file that is damaged meanwhile changes nothing."""
    path, clock = tmp_path / "ca.crt", FakeClock()
    path.write_bytes(unknown.pem)
    async with hooked(FakeStore()) as hook:
        known.equip(hook.client)
        authority = ClientCA(path, hook.context, clock)
        authority.reload()
        running = asyncio.create_task(authority.run())
        with pytest.raises(REFUSED):
            await asks(hook)
        for content, is_answered in ((known.pem, True), (b"no certificate", True)):
            path.write_bytes(content)
            await asyncio.sleep(0)
            clock.advance(10)
            await asyncio.sleep(0.01)
            assert (await asks(hook) == 200) is is_answered
        running.cancel()


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff" * 10])
def test_without_an_authority_in_the_file_nothing_starts(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot ask peers for certificates"):
        ClientCA(path, RotatingContext(), FakeClock()).reload()
    with pytest.raises(BadInput, match="cannot read --client-ca"):
        ClientCA(tmp_path / "none", RotatingContext(), FakeClock()).reload()
