"""What of the annotations of networks and of their status goes into a dump.

Invariant: of a member that neither has, and of arguments for plugins, only the keys.
"""

from __future__ import annotations

from typing import Final

import orjson

from planes.cli.dump.outlines import known_part, outline
from planes.model.annotations.element_reader import KNOWN_MEMBERS
from planes.model.annotations.selection import is_json

_ARGUMENTS: Final = "cni-args"
_BELOW: Final = frozenset(
    {"hostport", "containerport", "hostip", "protocol"}
    | {"ingressrate", "ingressburst", "egressrate", "egressburst"}
    | {"nameservers", "domain", "search", "options"}
    | {"type", "version", "pci", "pci-address", "pf-pci-address", "representor-device"}
)
_STATUS: Final = frozenset({"mtu", "default", "gateway", "dns", "device-info"})
_SHOWN: Final = ({name.lower() for name in KNOWN_MEMBERS} - {_ARGUMENTS}) | _STATUS | _BELOW
"""Names in lower case, as keys are matched without regard to case."""


def networks(text: str) -> str:
    """Return the text of such an annotation, shortened."""
    if not is_json(text):
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "(not JSON)"
    if not isinstance(value, list):
        return orjson.dumps(outline(value)).decode()
    shown = [known_part(v, _SHOWN) if isinstance(v, dict) else outline(v) for v in value]
    return orjson.dumps(shown).decode()
