"""The errors of a plan, reported all at once."""

from __future__ import annotations

from collections.abc import Sequence

from cni.journal.error_subject import ErrorSubject, cannot_attach
from planes.model.errors import BadInput, CniCode, Conflict, Finding, PlanesError, paired
from planes.model.names import check_ifname

Fault = tuple[ErrorSubject | None, PlanesError]
"""An error and its attachment; None for the sandbox as a whole."""


def name_faults(attachments: Sequence[ErrorSubject], taken: frozenset[str]) -> list[Fault]:
    """List errors about interface names: invalid, used twice, or taken in the sandbox."""
    faults: list[Fault] = []
    seen: dict[str, ErrorSubject] = {}
    for one in attachments:
        try:
            check_ifname(one.ifname)
        except PlanesError as error:
            faults.append((one, error))
            continue
        if one.ifname in seen:
            other = seen[one.ifname].where()
            twice = BadInput(
                f"cannot make two interfaces of that name, and {other} has it",
                remedy='give one of them another "interface" in the annotation',
            )
            faults.append((one, twice))
        elif one.ifname in taken:
            there = Conflict(
                "cannot make the interface: the sandbox has one of that name",
                remedy="DEL the old attachment first, or choose another name",
            )
            faults.append((one, there))
        seen.setdefault(one.ifname, one)
    return faults


def raise_all(what: str, node: str, faults: Sequence[Fault]) -> None:
    """Raise the errors that were found: one as it is, several as one error that lists them.

    Args:
        what: what failed: `attach shop/web`.
        node: this node's name.
        faults: the errors; none raises nothing.

    Raises:
        PlanesError: there are errors.
    """
    if not faults:
        return
    if len(faults) == 1:
        (named, fault), *_ = faults
        raise (
            fault.within(f"{what} on node {node}")
            if named is None
            else cannot_attach(named, fault, node)
        )
    errors = [error if named is None else cannot_attach(named, error) for named, error in faults]
    codes = {int(fault.cni_code) for fault in errors}
    listed, remedies = paired([Finding("", fault.message, fault.remedy) for fault in errors])
    raise BadInput(
        f"cannot {what} on node {node}: {listed}",
        remedy=remedies,
        code=codes.pop() if len(codes) == 1 else CniCode.BAD_CONFIG,
    )
