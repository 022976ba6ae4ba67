"""A `Bundle` as a Secret: `tls.crt`, `tls.key` and `ca.crt` as other tools read them, and `ca.key`.

Each part is read by itself: one that cannot be read is missing in the bundle and listed as a
problem. Writing changes these keys and Netplane's annotations alone.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from certs.bundle import Bundle, Certificate, Pair, public_bytes, split_keys
from planes.model.errors import BadInput, JsonObject

CHAIN: Final = "tls.crt"
KEY: Final = "tls.key"
ROOTS: Final = "ca.crt"
ROOT_KEYS: Final = "ca.key"

# For `kubectl describe`; nothing is decided by them.
ANNOTATION_ROOTS: Final = "netplane.io/roots"
ANNOTATION_SERVING: Final = "netplane.io/serving"
ANNOTATION_EXPIRY: Final = "netplane.io/expires"


@dataclass(frozen=True, slots=True)
class SecretContent:
    """The content of a Secret, and why parts of it cannot be used."""

    bundle: Bundle = field(default_factory=Bundle)
    problems: tuple[BadInput, ...] = ()


def read(obj: JsonObject, what: str) -> SecretContent:
    """Read the parts of a Secret that can be read; `what` names it in problems."""
    data = obj.get("data")
    data = data if isinstance(data, dict) else {}
    problems: list[BadInput] = []

    def content(name: str) -> bytes:
        try:
            return b64decode(data.get(name) or "", validate=True)
        except (binascii.Error, ValueError, TypeError):
            problems.append(BadInput(f"cannot read {name} of {what}: it is not base64"))
            return b""

    roots_pem, keys_pem, chain, key = (content(each) for each in (ROOTS, ROOT_KEYS, CHAIN, KEY))
    roots: tuple[Certificate, ...] = ()
    serving: Pair | None = None
    try:
        roots = Certificate.parse_all(roots_pem, f"{ROOTS} of {what}") if roots_pem else ()
    except BadInput as exc:
        problems.append(exc)
    keys = tuple(each for each in split_keys(keys_pem) if _is_readable(each))
    if keys_pem and not keys:
        problems.append(BadInput(f"cannot read {ROOT_KEYS} of {what}: it holds no PEM private key"))
    try:
        serving = _serving(chain, key, what)
    except BadInput as exc:
        problems.append(exc)
    return SecretContent(Bundle(roots, keys, serving), tuple(problems))


def write(old: JsonObject, bundle: Bundle) -> JsonObject:
    """Return a Secret with another bundle in it."""
    serving = bundle.serving
    data = {
        ROOTS: b"".join(root.pem for root in bundle.roots),
        ROOT_KEYS: b"".join(bundle.keys),
        # A Secret of type kubernetes.io/tls must have both; empty before the first certificate.
        CHAIN: serving.chain if serving else b"",
        KEY: serving.key if serving else b"",
    }
    encoded = {name: b64encode(content).decode() for name, content in data.items()}
    metadata = old["metadata"]
    annotations = {
        **(metadata.get("annotations") or {}),
        ANNOTATION_ROOTS: ",".join(root.id for root in bundle.roots),
        ANNOTATION_SERVING: serving.certificate.id if serving else "",
        ANNOTATION_EXPIRY: f"{serving.certificate.not_after:%Y-%m-%dT%H:%M:%SZ}" if serving else "",
    }
    return {
        **old,
        "metadata": {**metadata, "annotations": annotations},
        "data": {**_dict(old.get("data")), **encoded},
    }


def _serving(chain: bytes, key: bytes, what: str) -> Pair | None:
    if not chain and not key:
        return None
    if not chain or not key:
        missing = CHAIN if not chain else KEY
        raise BadInput(f"cannot use the certificate of {what}: {missing} is missing")
    return Pair.parse(chain, key, what)


def _is_readable(key: bytes) -> bool:
    try:
        public_bytes(key, ROOT_KEYS)
    except BadInput:
        return False
    return True


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
