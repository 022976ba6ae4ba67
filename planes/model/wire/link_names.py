"""Names of links inside a network configuration: which members they are in, and what they may be.

The kernel takes a name with "%" as a pattern to number by itself: asked for `br%d` it makes `br0`,
and whoever asked looks for `br%d` in vain and leaves `br0` behind.
"""

from __future__ import annotations

from typing import Final

from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.names import shown
from planes.model.wire.netconf import ConfList

LINK_MEMBERS: Final = ("bridge", "master", "device", "vrfname", "ifname", "bondname")
"""What plugins that we know make or look for a link by; in Go, and here, in any case."""


def check_link_names(conflist: ConfList) -> ConfList:
    """Give a configuration back whose links have names that stand for themselves.

    Raises:
        BadInput: code 7; one has not.
    """
    for plugin in conflist.plugins:
        fields = plugin.fields()
        for place in (fields, fields.child("delegate")):
            if place is not None:
                _check(place, conflist.name)
    return conflist


def _check(fields: Fields, network: str) -> None:
    for member in LINK_MEMBERS:
        name = fields.raw(member)
        if isinstance(name, str) and "%" in name:
            raise BadInput(
                f'cannot use network "{network}": its {member} is {shown(name)}, and the kernel '
                "would number it by itself",
                remedy="use a name without %",
            )
