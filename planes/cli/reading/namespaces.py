"""`-n` and `-A`: which namespace a command is about, by the same words for all of them."""

from __future__ import annotations

from typing import Final

from planes.cli.command import Context
from planes.model.names import is_dns_label, shown
from planes.run.settings import Option, boolean


def _namespace(text: str) -> str:
    if text and not is_dns_label(text):
        raise ValueError(f"{shown(text)} is no name of a namespace")
    return text


NAMESPACE: Final = Option(
    "--namespace",
    "",
    "the namespace that is meant; default: that of the context, else default",
    _namespace,
    metavar="NAMESPACE",
    letter="-n",
)
"""Of commands about one namespace; `named_namespace` reads it."""
ONE_NAMESPACE: Final = Option(
    "--namespace",
    "",
    "one namespace only; default: all of them",
    _namespace,
    metavar="NAMESPACE",
    letter="-n",
)
ALL_NAMESPACES: Final = Option(
    "--all-namespaces", None, "all namespaces: the default", boolean, is_switch=True, letter="-A"
)
NAMESPACE_OPTIONS: Final = (ONE_NAMESPACE, ALL_NAMESPACES)
"""Of commands that show what is in namespaces; `chosen_namespace` reads them."""


def named_namespace(context: Context) -> str:
    """Return the namespace that `-n` or its variable names, "" where none does."""
    return str(context.settings[NAMESPACE.key] or "")


def chosen_namespace(context: Context) -> str:
    """Return the namespace that `-n` names, "" for all of them: without it, or with `-A`.

    As with kubectl, `-A` counts where both are given. A flag counts more than a variable.
    """
    named, every = context.settings[NAMESPACE.key], context.settings[ALL_NAMESPACES.key]
    flagged = getattr(context.given, NAMESPACE.key, None) is not None
    if every and not (flagged and getattr(context.given, ALL_NAMESPACES.key, None) is None):
        return ""
    return str(named or "")
