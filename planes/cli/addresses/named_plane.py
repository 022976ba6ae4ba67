"""The plane that a command names: it exists and can be read."""

from __future__ import annotations

from planes.cli.reading.address_use import plane_in_force
from planes.cli.reading.place import Place
from planes.kube.resources import PLANES
from planes.model.errors import BadInput, NotFound, PlanesError
from planes.model.names import is_dns_label, shown
from planes.model.spec.plane_spec import IpamMode, Plane


async def own_addresses_of(place: Place, name: str) -> Plane:
    """Return a plane that hands out addresses itself.

    Raises:
        BadInput: it does not.
        PlanesError: as of `plane_named`.
    """
    plane = await plane_named(place, name)
    if plane.ipam_mode is not IpamMode.PLANE or not plane.families:
        raise BadInput(
            f"cannot look into the addresses of plane {name}: it hands out none itself",
            remedy=f"its pods have theirs from the IPAM of NAD {plane.ref}, if any",
        )
    return plane


async def plane_named(place: Place, name: str) -> Plane:
    """Return a plane.

    Raises:
        NotFound: there is none of that name.
        BadInput: it is not valid.
        PlanesError: the API server cannot be read.
    """
    missing = NotFound(
        f"cannot find plane {shown(name)} in {place.title}",
        remedy="see the names of all planes: netplane ip show",
    )
    if not is_dns_label(name):
        raise missing
    try:
        obj = await place.api.get(PLANES, name)
    except NotFound as error:
        raise missing from error
    try:
        return plane_in_force(place, obj)
    except PlanesError as error:
        raise BadInput(f"cannot read plane {name}: {error.message}", remedy=error.remedy) from error
