"""What is wrong with a plan, told all at once."""

from __future__ import annotations

from collections.abc import Sequence

from planes.model.errors import BadInput, CniCode, Conflict, PlanesError
from planes.model.names import check_ifname


def name_faults(names: Sequence[str], taken: frozenset[str]) -> list[PlanesError]:
    """List interface names that are invalid, used twice or taken in the sandbox."""
    faults: list[PlanesError] = []
    for position, name in enumerate(names):
        try:
            check_ifname(name)
        except PlanesError as error:
            faults.append(error)
            continue
        if name in names[:position]:
            faults.append(
                BadInput(
                    f'cannot attach two networks as interface "{name}"',
                    remedy='give one of them another "interface" in the annotation',
                )
            )
        elif name in taken:
            faults.append(
                Conflict(
                    f'cannot attach interface "{name}": the sandbox has one of that name',
                    remedy="DEL the old attachment first, or choose another name",
                )
            )
    return faults


def raise_all(what: str, faults: Sequence[PlanesError]) -> None:
    """Raise what was found: one as it is, several as one error that lists them.

    Raises:
        PlanesError: there is any.
    """
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    codes = {int(fault.cni_code) for fault in faults}
    raise BadInput(
        f"cannot {what}: {' | '.join(fault.message for fault in faults)}",
        remedy=" | ".join(dict.fromkeys(fault.remedy for fault in faults if fault.remedy)),
        code=codes.pop() if len(codes) == 1 else CniCode.BAD_CONFIG,
    )
