"""The node's own uplink, named by a network that would move it into a pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cni.net.host_survey import HostSurvey
from cni.net.uplink_carrier import LinkUse
from planes.cli.doctor.diagnosis import Diagnosis, error
from planes.cli.doctor.facts.networks import LinkNeed


def judge_node_uplink(needs: Iterable[LinkNeed], survey: HostSurvey) -> Iterator[Diagnosis]:
    """Yield networks of type host-device that name what carries the node's default route."""
    carrying = {
        below.link.index: survey.links[top].name
        for top in survey.defaults
        if top in survey.links
        for below in survey.path_of(survey.links[top])
    }
    for need in dict.fromkeys(needs):
        link = survey.find(need.name) if need.use is LinkUse.MOVED and need.name else None
        if link is not None and link.link.index in carrying:
            top = carrying[link.link.index]
            what = "is" if top == link.name else f"carries {top}, which is"
            yield error(
                f"{need.network.title} would move {link.name} into a pod, and it {what} the "
                "interface of the default route",
                "the node would be cut off; Netplane refuses it, the reference plugin does not",
                f"{need.network.edit} (another device)",
            )
