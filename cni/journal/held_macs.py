"""MACs that interfaces of this node have: on a plane a pod that asks for one of them is refused.

Admission compares what pods ask for; here also count the MACs that the kernel chose, and those of
pods that were created while no webhook ran. A macvlan would be refused by the kernel, too, but a
bridge would deliver frames to one of both.
"""

from __future__ import annotations

from cni.journal.entry import Entry, Stage
from cni.journal.error_subject import ErrorSubject
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import BadInput, Conflict
from planes.model.mac import format_mac, parse_mac


def check_held_macs(entry: Entry, journal: Journal) -> None:
    """Refuse a plan with a MAC that an interface of another pod on the same plane has.

    Raises:
        Conflict: another pod has it; the text names one of the same namespace.
    """
    wanted = {
        (one.plane, mac): one for one in entry.attachments if one.plane and (mac := _asked(one))
    }
    if not wanted:
        return
    for other in journal.entries():
        is_own = (other.namespace, other.pod, other.uid) == (entry.namespace, entry.pod, entry.uid)
        if is_own or other.stage is Stage.LEAVING or journal.is_of_earlier_boot(other):
            continue
        for held in other.attachments:
            for mac in _macs(held):
                one = wanted.get((held.plane, mac))
                if one is not None:
                    raise Conflict(
                        f"cannot attach {ErrorSubject.of(one)} on node {entry.node}: MAC {mac} is "
                        f"that of {held.ifname} of {_named(other, entry)}",
                        remedy="give each pod a MAC of its own, or leave it to be chosen",
                    )


def _named(other: Entry, to: Entry) -> str:
    """Return the holder in words; a tenant is not told which pod of another namespace it is."""
    if other.namespace != to.namespace:
        return "a pod of another namespace"
    return f"pod {other.namespace}/{other.pod}"


def _asked(one: PlannedAttachment) -> str:
    """Return the MAC that is asked for, as the kernel writes it; "" for none, or no MAC."""
    try:
        return format_mac(parse_mac(dict(one.cni_args).get("MAC", "")))
    except BadInput:  # the plugin refuses it
        return ""


def _macs(one: PlannedAttachment) -> list[str]:
    interfaces = () if one.result is None else one.result.interfaces
    return [link.mac for link in interfaces if link.sandbox and link.mac]
