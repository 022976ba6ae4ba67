"""What a comparison of addresses finds: one finding for each address, for logs and commands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from planes.model.errors import JsonObject


class FindingKind(StrEnum):
    """What is wrong with an address.

    LEAKED: held, but no attachment has it. MISSING: an attachment has it, but no record. TWICE: an
    attachment has it, and the record names another one. UNRECORDED: an interface or a pod has it
    that neither journal nor records have.
    """

    LEAKED = "leaked"
    MISSING = "missing"
    TWICE = "twice"
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, slots=True)
class AddressFinding:
    """One finding.

    Attributes:
        where: the plane, or the directory of a host-local network.
        holder: whom the address is for, in words.
        outlook: what will be done, or why nothing is.
    """

    kind: FindingKind
    where: str
    address: str
    holder: str
    outlook: str

    def to_json(self) -> JsonObject:
        """Return it for a command's answer."""
        return {
            "kind": self.kind.value,
            "where": self.where,
            "address": self.address,
            "holder": self.holder,
            "outlook": self.outlook,
        }
