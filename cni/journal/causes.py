"""Complete errors of ADD from the journal: which pod of this node has the MAC or the address.

The kernel only reports that a MAC is in use, and a file of host-local only names a container.
Invariant: the text goes into events that tenants read, so it names a pod of another namespace only
in an error of a plane's attachment, and devices of the node in no error of a tenant's own NAD.
"""

from __future__ import annotations

from collections.abc import Callable

from cni.journal.entry import Entry
from cni.journal.journal import Journal
from cni.net.errors import MacInUse, MissingMaster
from cni.plugins.address_taken import AddressTaken
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.device_taken import DeviceTaken
from planes.model.errors import PlanesError


class Causes:
    """Completes errors of ADD with their causes.

    Args:
        journal: what this node has attached.
        is_tenant: whether errors in a namespace must not name devices of the node.
    """

    def __init__(self, journal: Journal, is_tenant: Callable[[str], bool]) -> None:
        self._journal = journal
        self._is_tenant = is_tenant

    def complete(
        self, error: PlanesError, attachment: PlannedAttachment, namespace: str
    ) -> PlanesError:
        """Return an error with its cause added, where the cause is known.

        Args:
            error: the error; what is in use, and a missing master, are completed.
            attachment: the attachment that failed.
            namespace: the namespace of its pod.
        """
        readers = None if attachment.plane else namespace
        if isinstance(error, MacInUse):
            return error.also(f", {self._holder_of_mac(error.mac, readers)}")
        if isinstance(error, AddressTaken | DeviceTaken):
            return error.also(f", {self._container(error.container_id, readers)}")
        if isinstance(error, MissingMaster):
            # An administrator names a plane's master: a tenant cannot provoke this list.
            is_told = attachment.plane or not self._is_tenant(namespace)
            return error.also(f": it has {error.devices}") if is_told else error
        return error

    def _holder_of_mac(self, mac: str, readers: str | None) -> str:
        for entry in self._journal.entries():
            for one in entry.attachments:
                links = one.result.interfaces if one.result is not None else ()
                if any(link.sandbox and link.mac.lower() == mac for link in links):
                    return f"by {one.ifname} of {_owner(entry, readers)}"
        return "by an interface that Netplane did not attach"

    def _container(self, container_id: str, readers: str | None) -> str:
        found = [one for one in self._journal.entries() if one.container_id == container_id]
        if found:
            return f"which is {_owner(found[0], readers)} of this node"
        return "a container that Netplane does not have on this node"


def _owner(entry: Entry, readers: str | None) -> str:
    """Return the pod of an entry, for readers in a namespace; None for readers of all."""
    if readers is None or entry.namespace == readers:
        return _pod(entry)
    return "a pod of another namespace"


def _pod(entry: Entry) -> str:
    return f"pod {entry.namespace}/{entry.pod}" if entry.pod else f"sandbox {entry.container_id}"
