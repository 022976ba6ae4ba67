"""Facts given beside a plan, on the command line: `business.interface=eth1`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from planes.model.errors import BadInput, JsonObject
from planes.model.names import shown
from planes.model.near_names import did_you_mean, nearest_name
from planes.model.plan.words import ALL_WORDS, LIST_WORDS

_MOST_KEYS: Final = 8
_EXAMPLE: Final = "write NETWORK.FIELD=VALUE, e.g. business.gateway=192.168.0.1"


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """One fact.

    Attributes:
        network: whose it is.
        keys: the word, and keys below it.
        value: JSON.
    """

    network: str
    keys: tuple[str, ...]
    value: Any


def read_answer(text: str) -> PlanAnswer:
    """Read `NETWORK.FIELD=VALUE`: the value is JSON, else text; of list words `a,b` is a list.

    Raises:
        BadInput: it is not of that form, or the field is no word of a plan.
    """
    place, sign, written = text.partition("=")
    network, *keys = place.split(".")
    if not sign or not network or not keys or not all(keys) or len(keys) > _MOST_KEYS:
        raise BadInput(f"cannot read {shown(text)} as a fact of a plan", remedy=_EXAMPLE)
    if keys[0] not in ALL_WORDS:
        near = nearest_name(keys[0][:64], ALL_WORDS)
        raise BadInput(
            f"cannot set {shown(place)}: {shown(keys[0])} is no word of a plan",
            remedy=did_you_mean(near, f"words are {', '.join(ALL_WORDS)}"),
        )
    return PlanAnswer(network, tuple(keys), _value(written, is_list=place_is_list(keys)))


def place_is_list(keys: list[str]) -> bool:
    """Report whether a value belongs to a word that has a list of texts."""
    return len(keys) == 1 and keys[0] in LIST_WORDS


def _value(written: str, *, is_list: bool) -> Any:
    try:
        value: Any = json.loads(written)
    except (ValueError, RecursionError):
        value = written
    if is_list and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def with_answers(networks: JsonObject, answers: Iterable[PlanAnswer]) -> JsonObject:
    """Return a plan's networks with facts set; an answer replaces what the plan says.

    Raises:
        BadInput: the plan has no such network.
    """
    found = dict(networks)
    for answer in answers:
        if answer.network not in found:
            near = nearest_name(answer.network[:64], list(found)[:256])
            known = ", ".join(shown(name) for name in list(found)[:8])
            raise BadInput(
                f"cannot set {shown('.'.join(answer.keys))} of {shown(answer.network)}: "
                "the plan has no such network",
                remedy=did_you_mean(near, f"it has {known or 'none'}"),
            )
        found[answer.network] = _with(found[answer.network], answer.keys, answer.value)
    return found


def _with(obj: Any, keys: tuple[str, ...], value: Any) -> Any:
    """Return a copy with a value below keys; what is no object on the way is replaced."""
    if not keys:
        return value
    own = dict(obj) if isinstance(obj, dict) else {}
    own[keys[0]] = _with(own.get(keys[0]), keys[1:], value)
    return own
