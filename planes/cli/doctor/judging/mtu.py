"""The MTU chain: what pods send must fit through each link on its way out of the node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote

from cni.net.host_survey import HostSurvey
from cni.net.uplink_carrier import LinkUse
from planes.cli.doctor.diagnosis import Diagnosis, error, warning
from planes.cli.doctor.facts.networks import LinkNeed


def judge_mtu(needs: Iterable[LinkNeed], survey: HostSurvey) -> Iterator[Diagnosis]:
    """Yield where an MTU is larger than that of a link below it."""
    for need in dict.fromkeys(needs):
        link = survey.find(need.name)
        if link is None or need.use not in {LinkUse.MASTER, LinkUse.BRIDGE}:
            continue
        path = survey.path_of(link)
        lower = path if need.use is LinkUse.MASTER else path[1:]  # a bridge follows its ports
        smallest = min(lower, key=lambda one: one.link.mtu, default=None)
        if smallest is None:
            continue
        size = need.mtu or link.link.mtu
        if size <= smallest.link.mtu:
            continue
        through, limit = smallest.name, smallest.link.mtu
        mend = f"ip link set dev {quote(through)} mtu {size}, or {need.network.edit} (mtu: {limit})"
        if need.mtu and need.use is LinkUse.MASTER and smallest is link:
            yield error(
                f"{need.network.title} has MTU {size}, its master {through} only {limit}",
                f"the kernel refuses {need.type} with a larger MTU than its master's",
                mend,
            )
        else:
            owner = need.network.title if need.mtu else f"{link.name} of {need.network.title}"
            yield warning(
                f"{owner} has MTU {size}, but {through} on the way out only {limit}",
                "large packets are dropped without an error: connections stop at the first "
                "long answer",
                mend,
            )
