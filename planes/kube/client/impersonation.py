"""The headers by which a user acts as another one: `as`, `as-uid`, `as-groups`, `as-user-extra`.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from planes.model.errors import BadInput

_IN_NAME: Final = "!#$&'*+-.^_`|~"
"""What a header's name may have beside letters and digits; `%` begins an escape."""


def impersonation_headers(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the headers for a user of a kubeconfig; none where it acts as itself.

    Raises:
        BadInput: something is no text, or it acts with groups of nobody.
    """
    found = tuple(_headers(user))
    if found and not user.get("as"):
        raise BadInput(
            "its user has groups of another user, whom it does not name", remedy="set as"
        )
    if not all(text.isprintable() for _, text in found):
        raise BadInput("its user acts as one whose name is no printable text")
    return found


def _headers(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            yield header, _text(user[key], key)
    for group in _list(user.get("as-groups"), "as-groups"):
        yield "Impersonate-Group", group
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, dict):
        raise BadInput("as-user-extra is not a mapping of names to texts")
    for name, values in extra.items():
        header = f"Impersonate-Extra-{quote(str(name).lower(), safe=_IN_NAME)}"
        for value in _list(values, "as-user-extra"):
            yield header, value


def _list(value: Any, key: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput(f"{key} is not a list of texts")
    return [_text(each, key) for each in value]


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{key} has what is not a text", remedy="put it in quotes")
    return value
