"""Read one attachment of a journal entry; `PlannedAttachment.to_json` writes it."""

from __future__ import annotations

from cni.plugins.attached_device import read_attached_device
from cni.plugins.attachment import PlannedAttachment
from planes.model.decode import Fields
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.model.wire.result import parse_result


def read_attachment(fields: Fields, known: dict[str, ConfList]) -> PlannedAttachment:
    """Read an attachment; types are checked, since another program may have written the file.

    Args:
        fields: the journaled form.
        known: parsed configurations by their text, shared by entries that are read together.

    Raises:
        PlanesError: a member has another type, or the configuration cannot be parsed.
    """
    result, config = fields.object("result"), fields.string("config")
    conflist = known.get(config)
    if conflist is None:
        conflist = known[config] = parse_conflist(config, what="the journaled configuration")
    return PlannedAttachment(
        network=fields.string("network"),
        conflist=conflist,
        ifname=fields.string("ifname"),
        cni_args=_pairs(fields),
        capability_args=fields.object("capabilityArgs") or {},
        args=fields.object("args") or {},
        candidates=fields.strings("candidates"),
        ips=fields.strings("ips"),
        claim=fields.string("ipamClaim"),
        default_route=fields.strings("defaultRoute"),
        plane=fields.string("plane"),
        holds=_holds(fields),
        is_default=fields.boolean("default"),
        device=read_attached_device(fields.child("device")),
        result=parse_result(result, default_version="1.1.0") if result is not None else None,
    )


def _holds(fields: Fields) -> dict[str, tuple[str, ...]]:
    holds = fields.child("holds")
    return {} if holds is None else {name: holds.strings(name) for name in holds.names()}


def _pairs(fields: Fields) -> tuple[tuple[str, str], ...]:
    pairs = []
    listed = fields.raw("cniArgs") or []
    for pair in listed if isinstance(listed, list) else [listed]:
        match pair:
            case [str(key), str(value)]:
                pairs.append((key, value))
            case _:
                raise fields.wrong("cniArgs", "a list of pairs", pair)
    return tuple(pairs)
