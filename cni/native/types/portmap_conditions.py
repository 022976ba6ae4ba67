"""The conditions of type `portmap`: words of iptables or nftables, as the netconf has them.

The author of a netconf chooses them. Invariant: words that pass here narrow the one rule that they
are put into. They are no command, target, verdict or other statement, name no table or
program, and begin no further rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from planes.model.errors import BadInput

_MOST_WORDS: Final = 64
_LONGEST_WORD: Final = 255
_CONTROL: Final = re.compile(r"[^\x20-\x7e]")
_SHORT_OPTIONS: Final = frozenset({"-s", "-d", "-i", "-o", "-m", "-p", "-f"})
# Of iptables(8): commands, targets, and what is about the call. getopt takes any beginning of one.
_FORBIDDEN_OPTIONS: Final = (
    "--append", "--check", "--delete", "--delete-chain", "--flush", "--goto", "--help",
    "--insert", "--ipv4", "--ipv6", "--jump", "--list", "--list-rules", "--modprobe",
    "--new-chain", "--policy", "--rename-chain", "--replace", "--table", "--wait",
    "--wait-interval", "--zero",
)  # fmt: skip
# Options of matches that are also a beginning of one above.
_MATCH_OPTIONS: Final = frozenset({"--pol"})
_MATCH_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
# Of nft(8): a condition of nftables is made of these characters.
_NFT_CHARACTERS: Final = re.compile(r'[A-Za-z0-9_.:/,@!=<>{}&|^*" -]*')
_NFT_WORD: Final = re.compile(r"[A-Za-z0-9_]+")
# Of nft(8), "Statements" and "Verdict statements".
_NFT_STATEMENTS: Final = frozenset({
    "accept", "add", "chain", "comment", "continue", "define", "delete", "dnat", "drop", "dup",
    "flow", "fwd", "goto", "include", "jump", "log", "map", "masquerade", "meter", "notrack",
    "queue", "quota", "redirect", "reject", "return", "rule", "secmark", "set", "snat", "synproxy",
    "table", "tproxy", "undefine", "update", "vmap", "xt",
})  # fmt: skip


def read_conditions(key: str, words: Sequence[str]) -> tuple[str, ...]:
    """Check the conditions of one family.

    Args:
        key: their member of the netconf.
        words: arguments of iptables, or parts of an expression of nftables.

    Raises:
        BadInput: they are more than conditions.
    """
    if not words or not words[0]:
        if any(words):
            raise _refused(key, "the first one is empty")
        return ()
    if len(words) > _MOST_WORDS:
        raise _refused(key, f"there are more than {_MOST_WORDS}")
    for word in words:
        if len(word) > _LONGEST_WORD:
            raise _refused(key, f"one is longer than {_LONGEST_WORD} characters")
        if _CONTROL.search(word):
            raise _refused(key, "one has a character that is not printable ASCII")
    if backend_of(words) == "iptables":
        _check_iptables(key, words)
    else:
        _check_nftables(key, words)
    return tuple(words)


def backend_of(words: Sequence[str]) -> str:
    """Return the backend whose syntax conditions have, as the reference decides."""
    return "iptables" if words[0].startswith(("-", "!")) else "nftables"


def _check_iptables(key: str, words: Sequence[str]) -> None:
    for before, word in zip(("", *words), words, strict=False):
        if before in {"-m", "--match"} and not _MATCH_NAME.fullmatch(word):
            raise _refused(key, "one is no name of a match")
        if not word.startswith("-") or _is_number(word):
            continue
        name = word.partition("=")[0]
        if name.startswith("--"):
            is_bad = name not in _MATCH_OPTIONS and any(
                one.startswith(name) for one in _FORBIDDEN_OPTIONS
            )
        else:
            is_bad = word not in _SHORT_OPTIONS
        if is_bad:
            raise _refused(key, f"option {name} is no condition")


def _is_number(word: str) -> bool:
    """Report whether a word is the negative value of an option, and no option."""
    return word[1:].isdigit() and word[1:] not in {"4", "6"}


def _check_nftables(key: str, words: Sequence[str]) -> None:
    text = " ".join(words)
    if not _NFT_CHARACTERS.fullmatch(text):
        raise _refused(key, "one has a character that no condition of nftables needs")
    if text.count('"') % 2:
        raise _refused(key, "a quotation mark is missing")
    if text.count("{") != text.count("}"):
        raise _refused(key, "a brace is missing")
    for name in _NFT_WORD.findall(text.lower()):
        if name in _NFT_STATEMENTS:
            raise _refused(key, f"{name} is a statement, no condition")


def _refused(key: str, cause: str) -> BadInput:
    return BadInput(
        f"cannot use {key}: {cause}",
        remedy="write matches only, such as -s 10.0.0.0/8 (iptables) or ip saddr 10.0.0.0/8"
        " (nftables)",
    )
