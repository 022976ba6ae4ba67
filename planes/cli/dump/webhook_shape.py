"""Webhook configurations in a dump: the CA of each by its fingerprint and dates."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificates

from planes.cli.dump.shapes import listed, part, whole
from planes.model.errors import JsonObject
from planes.run.clock import rfc3339

_MOST: Final = 16


def of_webhooks(obj: JsonObject) -> JsonObject:
    """Return a webhook configuration without the bytes of its certificates."""
    webhooks = [_of_webhook(each) for each in listed(obj.get("webhooks"))]
    return {"kind": obj.get("kind"), **whole(obj), "webhooks": webhooks}


def _of_webhook(webhook: Any) -> Any:
    client = part(webhook, "clientConfig")
    if not isinstance(client, dict) or "caBundle" not in client:
        return webhook
    rest = {key: value for key, value in client.items() if key != "caBundle"}
    return {**webhook, "clientConfig": {**rest, "caCertificates": _of_bundle(client["caBundle"])}}


def _of_bundle(bundle: Any) -> Any:
    try:
        found = load_pem_x509_certificates(b64decode(str(bundle), validate=True))
        return [_of_certificate(one) for one in found[:_MOST]]
    except (ValueError, binascii.Error):
        return "cannot be read"


def _of_certificate(certificate: Certificate) -> JsonObject:
    return {
        "sha256": certificate.fingerprint(SHA256()).hex(),
        "subject": certificate.subject.rfc4514_string()[:256],
        "notBefore": rfc3339(certificate.not_valid_before_utc.timestamp()),
        "notAfter": rfc3339(certificate.not_valid_after_utc.timestamp()),
    }
