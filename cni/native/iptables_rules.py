"""Rules of iptables and ip6tables as values.

Some rules are shared by all attachments: they are made once and stay, as with the reference
plugins. Others belong to one attachment: they are in a chain of its own, or lead to it. Invariant:
a word of a rule is quoted, so that it cannot become a second option, rule or command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from planes.model.errors import BadInput

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:,@%+=!-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_CHAIN_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_.:-]{0,28}")  # 29 bytes with the final zero
# Of this project and of the reference plugins; CNI-ADMIN and CNI-HOSTPORT-SETMARK may be named.
_CHAIN_OF_ATTACHMENTS: Final = re.compile(
    r"CNI-(DN-|SN-|FW-|FORWARD$|ISOLATION-|HOSTPORT-(DNAT|MASQ)$|[0-9a-f]{24}$)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the chain that it is in, and its words.

    Attributes:
        is_first: it is inserted before all others of the chain; else it is appended.
    """

    chain: str
    words: tuple[str, ...]
    is_first: bool = False

    @property
    def text(self) -> str:
        """The chain and the words, as `iptables-restore` reads them behind -A, -C or -D."""
        return " ".join([self.chain, *map(quoted, self.words)])


@dataclass(frozen=True, slots=True)
class SharedRules:
    """Chains and rules for all attachments; each is made where it is missing."""

    chains: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class OwnRules:
    """A chain of one attachment, and its rules: those in the chain, and others."""

    chain: str
    rules: tuple[Rule, ...]


def check_chain(name: str, what: str, key: str) -> str:
    """Check a chain that a netconf names; return it.

    A rule that leads to the chain of an attachment would keep that attachment from being removed.

    Args:
        name: "" for none.
        what: that cannot be done without, for the error.
        key: of the netconf.

    Raises:
        BadInput: it is no name of a chain, or that of an attachment's.
    """
    if not _CHAIN_NAME.fullmatch(name):
        raise BadInput(
            f"cannot {what}: {key} is no name of a chain",
            remedy="write at most 28 letters, digits, '-', '_', '.' or ':'",
        )
    if _CHAIN_OF_ATTACHMENTS.match(name):
        raise BadInput(
            f"cannot {what}: {key} is a chain of pods' attachments",
            remedy="name a chain that an administrator of the node has made",
        )
    return name


def quoted(word: str) -> str:
    """Return a word as one argument of a line of `iptables-restore`.

    Raises:
        BadInput: it has a control character, such as a line break.
    """
    if _CONTROL.search(word):
        raise BadInput("cannot make a rule: a word of it has a control character")
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
