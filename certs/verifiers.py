"""Who verifies us: the webhook configurations, whose `caBundle` the API server trusts.

The field is ours: every entry of every configuration gets the same roots, and what somebody else
put there stays only until the next old root is dropped. A root counts as trusted when all entries
hold it. Writes are compared and swapped by resourceVersion: a lost race changes nothing, and the
next look shows what won.
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
class Seen:
    """The configurations as read at one look.

    Attributes:
        configurations: those that are there.
        absent: the kinds of those that are not.
        bundles: the roots of each entry of each configuration.
    """

    configurations: tuple[tuple[Resource, JsonObject], ...] = ()
    absent: tuple[Resource, ...] = ()
    bundles: tuple[tuple[Certificate, ...], ...] = ()

    @property
    def common(self) -> frozenset[Certificate]:
        """Roots that every entry trusts; none without entries."""
        bundles = self.bundles
        return frozenset(bundles[0]).intersection(*bundles[1:]) if bundles else frozenset()

    @property
    def all(self) -> tuple[Certificate, ...]:
        """Roots that some entry trusts, in the order they were met."""
        return tuple(dict.fromkeys(root for bundle in self.bundles for root in bundle))


class Verifiers:
    """Reads and writes the configurations of a name.

    Args:
        name: of both configurations.
    """

    def __init__(self, api: KubeApi, name: str) -> None:
        self._api = api
        self._name = name
        self._parsed: dict[str, tuple[Certificate, ...]] = {}

    async def look(self) -> Seen:
        """Read both, live.

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
        # What did not change since the last look is not parsed again.
        before = self._parsed
        self._parsed = {text: before.get(text) or _roots(text) for text in set(texts)}
        return Seen(tuple(found), tuple(absent), tuple(self._parsed[text] for text in texts))

    async def publish(self, seen: Seen, roots: Sequence[Certificate]) -> bool:
        """Have every entry trust exactly these roots; what was written since `seen` stands.

        False where there was nothing to write.

        Raises:
            PlanesError: the API server does not answer, or refuses.
        """
        wanted = b"".join(root.pem for root in roots)
        is_written = False
        for kind, obj in seen.configurations:
            if all(set(_roots(_bundle(entry))) == set(roots) for entry in _entries(obj)):
                continue
            is_written = True
            # Who was faster is seen at the next look.
            with suppress(Conflict, NotFound):
                await self._api.replace(kind, _with_bundle(obj, wanted))
        return is_written


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
