"""The DNS member that results, netconfs and network-status share (spec 1.1.0 §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from planes.model.bounds import MAX_DNS
from planes.model.decode import Fields
from planes.model.errors import JsonObject


@dataclass(frozen=True, slots=True)
class Dns:
    """Resolver settings of an attachment.

    Attributes:
        nameservers: addresses, most wanted first.
        domain: the local domain for short names.
        search: domains to search, most wanted first.
        options: passed to the resolver as they are.
    """

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.nameservers or self.domain or self.search or self.options)

    def to_json(self) -> JsonObject:
        """Return the JSON form, without empty members."""
        obj: JsonObject = {}
        if self.nameservers:
            obj["nameservers"] = list(self.nameservers)
        if self.domain:
            obj["domain"] = self.domain
        if self.search:
            obj["search"] = list(self.search)
        if self.options:
            obj["options"] = list(self.options)
        return obj


NO_DNS: Final = Dns()


def parse_dns(fields: Fields | None) -> Dns:
    """Read the JSON form; None means no settings.

    Raises:
        BadInput: code 6.
    """
    if fields is None:
        return NO_DNS
    return Dns(
        nameservers=_bounded(fields, "nameservers"),
        domain=fields.string("domain"),
        search=_bounded(fields, "search"),
        options=_bounded(fields, "options"),
    )


def _bounded(fields: Fields, key: str) -> tuple[str, ...]:
    found = fields.strings(key)
    if len(found) > MAX_DNS:
        raise fields.bad(key, f"must not have more than {MAX_DNS} elements")
    return found
