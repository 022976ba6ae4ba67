"""Address files that nobody owns: no journal entry, and no interface with the address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from shlex import quote
from typing import Final

from planes.cli.doctor.diagnosis import Diagnosis, warning
from planes.cli.doctor.facts.held_records import AddressFile, HeldRecords
from planes.model.lines import first_few, one_line

SETTLED_SECONDS: Final = 180.0
"""An ADD may be under way, and the daemon itself waits a minute before it releases one."""
_MOST_NAMED: Final = 3
_SHORT_ID: Final = 13


def judge_held_records(held: HeldRecords, *, runs: bool) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each folder with files that nobody owns.

    Args:
        held: the files, and who may have their addresses.
        runs: whether the daemon runs, which releases addresses of planes itself.
    """
    folders: dict[str, list[AddressFile]] = {}
    for file in held.files:
        is_owned = file.container_id in held.journaled or file.address in held.live
        if not is_owned and file.age >= SETTLED_SECONDS:
            folders.setdefault(os.path.dirname(file.path), []).append(file)
    for folder, files in folders.items():
        named = first_few([_shown(file) for file in files], _MOST_NAMED)
        count = "1 address file" if len(files) == 1 else f"{len(files)} address files"
        what = f"{folder} has {count} that nobody owns: {named}"
        why = "no journal entry has them and no interface: their addresses are not handed out again"
        if files[0].plane:
            mend = (
                "netplane-cni check-addresses says why the daemon keeps them"
                if runs
                else "start netplane-cni: it releases them after a minute"
            )
            yield warning(what, why, mend)
        else:
            paths = " ".join(quote(file.path) for file in files[:_MOST_NAMED])
            more = " …" if len(files) > _MOST_NAMED else ""
            mend = f"if no other runtime has these containers: rm {paths}{more}"
            yield warning(what, why, mend)


def _shown(file: AddressFile) -> str:
    whose = one_line(file.container_id[:_SHORT_ID], _SHORT_ID) or "no container"
    return f"{file.address} ({whose})"
