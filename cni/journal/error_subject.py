"""Prefix errors of an attachment with interface, network, plane and node.

A pod may have many networks, and the text of a plugin or of the kernel names none of them. For
example: `cannot attach net1 to plane storage (NAD shop/storage) on node a: …`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cni.journal.causes import Causes
from cni.journal.entry import Entry
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import PlanesError


@dataclass(frozen=True, slots=True)
class ErrorSubject:
    """The attachment that an error is about.

    Attributes:
        ifname: its interface.
        network: `<namespace>/<name>` of its NAD, else the CNI name of its network.
        plane: its plane, "" for none.
        is_default: it is the pod's default network.
    """

    ifname: str
    network: str
    plane: str = ""
    is_default: bool = False

    @classmethod
    def of(cls, attachment: PlannedAttachment) -> ErrorSubject:
        """Return the subject for a planned attachment."""
        return cls(attachment.ifname, attachment.network, attachment.plane, attachment.is_default)

    def where(self, said: str = "") -> str:
        """Return the network as text; "" where the text `said` names it already."""
        is_nad = "/" in self.network  # no network's own name has a slash
        nad = f"NAD {self.network}" if is_nad and not _names(said, self.network) else ""
        if self.plane and not _names(said, f"plane {self.plane}"):
            return f"plane {self.plane} ({nad})" if nad else f"plane {self.plane}"
        if is_nad:
            return nad
        return (
            f"the default network {self.network}" if self.is_default else f"network {self.network}"
        )

    def __str__(self) -> str:
        if not self.plane:
            return f"{self.ifname} ({self.where()})"
        return f"{self.ifname} (plane {self.plane}, NAD {self.network})"


def cannot_attach(subject: ErrorSubject, error: PlanesError, node: str = "") -> PlanesError:
    """Return an error of ADD with the attachment and the node in front.

    Args:
        subject: the attachment.
        error: the error; class, code and remedy stay.
        node: the name of the node; "" where the caller adds it.
    """
    where = subject.where(error.message)
    words = ["attach", subject.ifname, *(["to", where] if where else [])]
    is_told = not node or _names(error.message, f"node {node}")
    return error.within(" ".join([*words, *([] if is_told else ["on node", node])]))


@contextmanager
def errors_about(attachment: PlannedAttachment, entry: Entry, causes: Causes) -> Iterator[None]:
    """Prefix errors of the body with the attachment, and complete them with their cause.

    Args:
        attachment: the attachment.
        entry: its journal entry.
        causes: completes the errors.
    """
    try:
        yield
    except PlanesError as error:
        known = causes.complete(error, attachment, entry.namespace)
        raise cannot_attach(ErrorSubject.of(attachment), known, entry.node) from error


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w/-])", text) is not None
