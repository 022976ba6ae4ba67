"""Names of links in a network configuration: the members that have them, and a check of them.

The kernel replaces "%d" in a name by a number: asked for `br%d` it creates `br0`, and the plugin,
which looks for `br%d`, fails and leaves `br0` behind.
"""

from __future__ import annotations

from typing import Final

from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.names import shown
from planes.model.wire.netconf import ConfList

LINK_MEMBERS: Final = ("bridge", "master", "device", "vrfname", "ifname", "bondname")
"""Members by which known plugins name a link; upper or lower case, as in Go."""


def check_link_names(conflist: ConfList) -> ConfList:
    """Return a configuration, checked for names with "%" of its links.

    Raises:
        BadInput: code 7; a link has one.
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
