"""Who has which address, as an outsider sees it: from answers to ADD and calls of DEL alone.

Nothing of the address book is used here. Invariant: an address has one holder at any moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import NamedTuple

from planes.model.wire.result import Address


class Attachment(NamedTuple):
    """One interface of one sandbox: its node and its container."""

    node: str
    container: str


class BrokenError(AssertionError):
    """A promise was broken; the text says which."""


@dataclass(slots=True)
class Oracle:
    """Sees every hand-out and every release.

    Attributes:
        handed_out: how many addresses were handed out so far.
    """

    handed_out: int = 0
    _holder: dict[str, Attachment] = field(default_factory=dict)
    _held: dict[Attachment, tuple[str, ...]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How many addresses are held now."""
        return len(self._holder)

    def is_held(self, text: str) -> bool:
        """Report whether an address is held."""
        return text in self._holder

    def all(self) -> Iterable[tuple[Attachment, tuple[str, ...]]]:
        """Return what each attachment holds."""
        return self._held.items()

    def of(self, node: str) -> list[str]:
        """Return the containers of a node that hold addresses."""
        return [one.container for one in self._held if one.node == node]

    def hand_out(
        self,
        who: Attachment,
        claimed: Sequence[Address],
        *,
        allowed: Collection[str],
        families: int,
    ) -> None:
        """Note what an ADD answered.

        Args:
            who: the attachment.
            claimed: the answer.
            allowed: addresses that it may have.
            families: how many addresses it must have.

        Raises:
            BrokenError: an address is held already, was not asked for, or changed.
        """
        texts = tuple(str(ip_interface(one.address).ip) for one in claimed)
        if len(texts) != families:
            raise BrokenError(f"{who} got {texts}: one of each of {families} families was due")
        if self._held.get(who, texts) != texts:
            raise BrokenError(f"{who} had {self._held[who]}, and now {texts}")
        for text in texts:
            if (other := self._holder.setdefault(text, who)) != who:
                raise BrokenError(f"{text} was handed out to {who}, but {other} has it")
            if text not in allowed:
                raise BrokenError(f"{text} was handed out to {who}, which may not have it")
        if who not in self._held:
            self.handed_out += len(texts)
        self._held[who] = texts

    def leave(self, who: Attachment) -> None:
        """Note that an attachment is gone: what it has may be handed out again."""
        for text in self._held.pop(who, ()):
            del self._holder[text]
