"""The `caBundle` of the webhook configurations: the roots by which API servers verify the webhook.

The field is Netplane's: every webhook of both configurations gets the same roots. Roots that others
put there stay until the next old root is dropped. A root is trusted when all webhooks have it.
Updates carry the resourceVersion: one that conflicts changes nothing, and the next read shows the
other writer's state.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from certs.bundle import Certificate
from planes.kube.api import KubeApi
from planes.kube.resources import MUTATING_HOOKS, VALIDATING_HOOKS, Resource
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound

KINDS: Final = (MUTATING_HOOKS, VALIDATING_HOOKS)


@dataclass(frozen=True, slots=True)
class WebhookConfigurations:
    """Both webhook configurations, as read at one time.

    Attributes:
        configurations: those that exist.
        absent: the kinds of those that do not.
        bundles: the roots of each webhook of each configuration.
    """

    configurations: tuple[tuple[Resource, JsonObject], ...] = ()
    absent: tuple[Resource, ...] = ()
    bundles: tuple[tuple[Certificate, ...], ...] = ()

    @property
    def common(self) -> frozenset[Certificate]:
        """Roots that every webhook has; none where there is no webhook."""
        bundles = self.bundles
        return frozenset(bundles[0]).intersection(*bundles[1:]) if bundles else frozenset()

    @property
    def all(self) -> tuple[Certificate, ...]:
        """Roots that any webhook has, in the order they were read."""
        return tuple(dict.fromkeys(root for bundle in self.bundles for root in bundle))


class CaBundles:
    """Reads and writes the `caBundle` of both webhook configurations.

    Args:
        name: of both configurations.
    """

    def __init__(self, api: KubeApi, name: str) -> None:
        self._api = api
        self._name = name
        self._parsed: dict[str, tuple[Certificate, ...]] = {}

    async def read(self) -> WebhookConfigurations:
        """Read both from the API server.

        Raises:
            PlanesError: the API server does not answer.
        """
        found: list[tuple[Resource, JsonObject]] = []
        absent: list[Resource] = []
        for kind in KINDS:
            try:
                found.append((kind, await self._api.get(kind, self._name)))
            except NotFound:
                absent.append(kind)
        texts = [_bundle(entry) for _, obj in found for entry in _entries(obj)]
        # A bundle that has not changed since the last read is not parsed again.
        before = self._parsed
        self._parsed = {text: before.get(text) or _roots(text) for text in set(texts)}
        return WebhookConfigurations(
            tuple(found), tuple(absent), tuple(self._parsed[text] for text in texts)
        )

    async def publish(self, seen: WebhookConfigurations, roots: Sequence[Certificate]) -> bool:
        """Write these roots into every webhook; return False where all have them already.

        A configuration that has changed since `seen` was read is left as it is.

        Raises:
            PlanesError: the API server does not answer, or refuses.
        """
        wanted = b"".join(root.pem for root in roots)
        was_needed = False
        for kind, obj in seen.configurations:
            if all(set(_roots(_bundle(entry))) == set(roots) for entry in _entries(obj)):
                continue
            was_needed = True
            # The next read shows what the other writer wrote.
            with suppress(Conflict, NotFound):
                await self._api.replace(kind, _with_bundle(obj, wanted))
        return was_needed


def _entries(obj: JsonObject) -> Iterator[JsonObject]:
    webhooks = obj.get("webhooks")
    return iter(webhooks if isinstance(webhooks, list) else ())


def _bundle(entry: JsonObject) -> str:
    return str((entry.get("clientConfig") or {}).get("caBundle") or "")


def _roots(text: str) -> tuple[Certificate, ...]:
    try:
        return Certificate.parse_all(b64decode(text, validate=True), "caBundle")
    except (BadInput, binascii.Error, ValueError):
        return ()


def _with_bundle(obj: JsonObject, pem: bytes) -> JsonObject:
    text = b64encode(pem).decode()
    webhooks = [
        {**entry, "clientConfig": {**(entry.get("clientConfig") or {}), "caBundle": text}}
        for entry in _entries(obj)
    ]
    return {**obj, "webhooks": webhooks}
