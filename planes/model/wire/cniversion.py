"""CNI spec versions: which are supported, their verbs, and the version of a configuration.

A configuration without version has 0.1.0. Versions are compared as numbers, supported ones matched
as text, exactly as by the reference plugins.
"""

from __future__ import annotations

import re
from enum import StrEnum

from planes.model.decode import Fields
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.names import shown

SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
CURRENT = "1.1.0"
OLDEST = "0.1.0"

_DOTTED = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}", re.ASCII)


class Verb(StrEnum):
    """The operations of a plugin (spec 1.1.0 §2)."""

    ADD = "ADD"
    DEL = "DEL"
    CHECK = "CHECK"
    GC = "GC"
    STATUS = "STATUS"
    VERSION = "VERSION"


_SINCE = {Verb.CHECK: "0.4.0", Verb.GC: "1.1.0", Verb.STATUS: "1.1.0"}


def check_supported(version: str) -> str:
    """Return the version of a configuration, OLDEST for none.

    Raises:
        BadInput: code 1; it is not supported.
    """
    meant = version or OLDEST
    if meant not in SUPPORTED:
        raise BadInput(
            f"cannot use cniVersion {shown(version)}: incompatible CNI versions",
            remedy=f"use one of {', '.join(SUPPORTED)}",
            code=CniCode.INCOMPATIBLE_VERSION,
        )
    return meant


def check_verb(version: str, verb: Verb) -> None:
    """Refuse a verb that the configuration's version does not have.

    Raises:
        BadInput: code 1; the version is not supported or too old for the verb.
    """
    meant = check_supported(version)
    since = _SINCE.get(verb)
    if since is not None and not at_least(meant, since):
        raise BadInput(
            f"cannot carry out {verb}: config version does not allow {verb}",
            remedy=f"set cniVersion to {since} or newer, it is {meant}",
            code=CniCode.INCOMPATIBLE_VERSION,
        )


def parse_version(version: str) -> tuple[int, int, int]:
    """Read one to three dotted numbers; missing ones are 0, the empty text is 0.1.0.

    Raises:
        BadInput: code 1; it is something else.
    """
    meant = version or OLDEST
    if not _DOTTED.fullmatch(meant):
        raise BadInput(
            f"cannot read cniVersion {shown(version)}",
            remedy='write it like "1.1.0"',
            code=CniCode.INCOMPATIBLE_VERSION,
        )
    major, minor, patch = (*map(int, meant.split(".")), 0, 0)[:3]
    return major, minor, patch


def at_least(version: str, other: str) -> bool:
    """Report whether a version is the other one or newer.

    Raises:
        BadInput: code 1; one of them is no version.
    """
    return parse_version(version) >= parse_version(other)


def negotiate(conf: JsonObject) -> str:
    """Return the version to run a configuration with (spec 1.1.0 §1, `cniVersions`).

    It is the highest of `cniVersions` and `cniVersion` that is not newer than CURRENT; without
    `cniVersions`, `cniVersion` as it is written.

    Raises:
        BadInput: code 1 for an entry that is no version or where all are newer, 6 for a wrong type.
    """
    fields = Fields(conf, "the network configuration")
    version = fields.string("cniVersion")
    listed = fields.strings("cniVersions")
    if not listed:
        return version
    offered = (*listed, version) if version else listed
    ours = [offer for offer in offered if at_least(CURRENT, offer)]
    if not ours:
        raise BadInput(
            f"cannot use the network configuration: all its cniVersions are newer than {CURRENT}",
            remedy=f"list one of {', '.join(SUPPORTED)}",
            code=CniCode.INCOMPATIBLE_VERSION,
        )
    return max(ours, key=parse_version)
