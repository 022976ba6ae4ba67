"""Masters of planes and NADs: missing, down, without carrier, enslaved, wireless."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import Final

from cni.net.host_survey import HostSurvey, SurveyedLink
from cni.net.uplink_carrier import LinkUse
from planes.cli.doctor.diagnosis import Diagnosis, error, warning
from planes.cli.doctor.facts.networks import LinkNeed
from planes.model.lines import first_few
from planes.model.names import shown

_ENSLAVING: Final = frozenset({"bridge", "bond", "team", "openvswitch"})
_WITH_HANDLER: Final = frozenset({"macvlan", "macvtap", "ipvlan"})
"""Types that receive a master's frames by the one handler that a bridge or bond has already."""
_OWN_MACS: Final = frozenset({"macvlan", "macvtap"})
"""Types whose interfaces have MACs of their own, which an access point does not accept."""
_MOST_NAMED: Final = 6
_BY_USE: Final = frozenset({LinkUse.MASTER, LinkUse.MOVED})


def judge_masters(needs: Iterable[LinkNeed], survey: HostSurvey) -> Iterator[Diagnosis]:
    """Yield what is wrong with the links that networks need, once for each link and network."""
    missing: dict[str, list[LinkNeed]] = {}
    for need in dict.fromkeys(needs):
        if need.use is LinkUse.FUNCTION:
            continue
        link = survey.find(need.name)
        if link is None:
            if need.use in _BY_USE:
                missing.setdefault(need.name, []).append(need)
            continue
        if need.use is LinkUse.BRIDGE:
            yield from _bridge(need, link, survey)
        elif need.use is LinkUse.MASTER:
            yield from _dead(need, link, survey)
            yield from _enslaved(need, link, survey)
            yield from _wireless(need, link, survey)
    for name, those in missing.items():
        yield _missing(name, those)


def _missing(name: str, needs: Sequence[LinkNeed]) -> Diagnosis:
    of_planes = [need for need in needs if need.network.plane is not None]
    first = (of_planes or needs)[0].network
    titles = [need.network.title for need in (*of_planes, *needs)]
    users = first_few(list(dict.fromkeys(titles)), _MOST_NAMED)
    make = error if of_planes else warning
    if not name:
        return make(
            f"no master is named by {users}, and the node has no default route",
            "the plugin takes the link of the default route, so no pod here gets this network",
            f"{first.edit} (set master)",
        )
    return make(
        f"this node has no interface {shown(name)}, needed by {users}",
        "a pod that gets this network does not start on this node",
        f"ip link show; then {first.edit} (master), or keep its pods off this node",
    )


def _dead(need: LinkNeed, link: SurveyedLink, survey: HostSurvey) -> Iterator[Diagnosis]:
    path = survey.path_of(link)
    down = next((one for one in path if not one.link.is_up), None)
    if not link.link.is_up and down is not None:
        # The lowest that is down has to be up first, but each needs the command.
        names = [one.name for one in path if not one.link.is_up][::-1]
        what = f"{link.name}, the master of {need.network.title}, is down"
        mend = "; ".join(f"ip link set dev {quote(name)} up" for name in names)
        yield _by_plane(need, what, mend)
    elif not link.link.has_carrier:
        at = next((one for one in reversed(path) if not one.link.has_carrier), link)
        if down is not None:
            mend = f"ip link set dev {quote(down.name)} up"
        else:
            mend = f"ethtool {quote(at.name)}; look at its cable, its switch port or the other end"
        on = "" if at is link else f": {at.name} below it has none"
        what = f"{link.name}, the master of {need.network.title}, has no carrier{on}"
        yield _by_plane(need, what, mend)


def _by_plane(need: LinkNeed, what: str, mend: str) -> Diagnosis:
    plane = need.network.plane
    if plane is not None and plane.require_carrier:
        return error(what, "pods of this plane are refused here until it passes frames", mend)
    return warning(what, "a pod gets its interface and reaches nobody outside this node", mend)


def _enslaved(need: LinkNeed, link: SurveyedLink, survey: HostSurvey) -> Iterator[Diagnosis]:
    master = survey.master_of(link)
    if master is None or master.link.kind not in _ENSLAVING:
        return
    kind = master.link.kind
    what = f"{link.name}, the master of {need.network.title}, is a port of {kind} {master.name}"
    free = f"ip link set dev {quote(link.name)} nomaster"
    mend = f"{need.network.edit} (master: {master.name}), or {free}"
    if need.type in _WITH_HANDLER:
        yield error(what, f"the kernel refuses {need.type} on a port: device busy", mend)
    else:
        yield warning(what, f"frames that come in may go to the {kind} instead", mend)


def _wireless(need: LinkNeed, link: SurveyedLink, survey: HostSurvey) -> Iterator[Diagnosis]:
    if need.type not in _OWN_MACS:
        return
    for one in survey.path_of(link):
        if one.is_wireless:
            yield error(
                f"{one.name}, the master of {need.network.title}, is wireless",
                f"an access point drops frames of other MACs, and {need.type} has its own",
                f"{need.network.edit} (type: ipvlan shares the MAC), or use a wired interface",
            )


def _bridge(need: LinkNeed, link: SurveyedLink, survey: HostSurvey) -> Iterator[Diagnosis]:
    if link.link.kind != "bridge":
        yield error(
            f"{need.network.title} wants bridge {link.name}, which is no bridge",
            "the plugin refuses to attach to it",
            f"{need.network.edit} (another bridge), or ip link del {quote(link.name)}",
        )
        return
    uplinks = survey.ports_of(link)
    if uplinks and not any(one.link.is_up and one.link.has_carrier for one in uplinks):
        names = ", ".join(one.name for one in uplinks)
        down = [quote(one.name) for one in uplinks if not one.link.is_up]
        mend = "; ".join(f"ip link set dev {name} up" for name in down)
        yield _by_plane(
            need,
            f"no port of {link.name}, the bridge of {need.network.title}, passes frames: {names}",
            mend or f"ip link show master {quote(link.name)}; look at cables and switch ports",
        )
    for one in uplinks:
        if one.is_wireless:
            yield error(
                f"{one.name}, a port of {link.name}, the bridge of {need.network.title}, "
                "is wireless",
                "an access point drops frames of other MACs than its station's",
                f"ip link set dev {quote(one.name)} nomaster; use a wired interface",
            )
