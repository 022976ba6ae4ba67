"""Interface names where every pod gets further networks."""

from __future__ import annotations

from cni.planning.interface_names import number
from planes.model.annotations.selection import Selection
from planes.model.decide.decision import Attachment
from planes.model.objects import NadRef


def asked(place: int, interface: str = "") -> Attachment:
    ref = NadRef("shop", f"n{place}")
    selection = Selection(ref.name, ref.namespace, interface)
    return Attachment(ref, None, selection, interface or f"net{place}")


def names(count: int, *attachments: Attachment) -> list[str]:
    found = number(count, attachments, "eth0")
    return [*found.further, *(one.interface for one in found.attachments)]


def test_without_further_networks_names_are_as_decided() -> None:
    assert names(0, asked(1), asked(2, "net9")) == ["net1", "net9"]


def test_further_networks_come_first_and_shift_the_pods_own_as_with_multus() -> None:
    assert names(2, asked(1), asked(2, "san0"), asked(3)) == [
        "net1",
        "net2",
        "net3",
        "san0",
        "net5",
    ]


def test_a_name_that_somebody_wrote_stands() -> None:
    """Admission writes the names of planes, and knows nothing of further networks."""
    assert names(1, asked(1), asked(2, "net1"), asked(3, "net3")) == [
        "net2",
        "net4",
        "net1",
        "net3",
    ]


def test_the_default_networks_own_name_is_passed_over() -> None:
    found = number(1, [asked(1)], "net1")
    assert (found.further, found.attachments[0].interface) == (("net2",), "net3")
