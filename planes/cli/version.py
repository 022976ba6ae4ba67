"""`netplane version`: the version of this program, and of what runs in a cluster.

A cluster is asked where there is a kubeconfig. What runs there shows its version as the tag of its
image: webhook and daemons answer nobody but the API server and the node.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from planes.cli.command import Command, Context, Task
from planes.cli.reading.place import CLUSTER_OPTIONS, at_cluster, has_cluster
from planes.model.errors import PlanesError
from planes.model.lines import printable, shortened
from planes.model.names import NETPLANE_NAMESPACE

if TYPE_CHECKING:
    from planes.kube.api import ReadApi

_PROGRAMS: Final[Mapping[str, tuple[str, str]]] = {
    "netplane-webhook": ("webhook", "webhook"),
    "netplane-cni": ("daemon", "cni"),
}
"""By the label `app.kubernetes.io/name`: what it is called, and its container."""
_TAG: Final = re.compile(r":(\w[\w.-]{0,127})\Z", re.ASCII)
_NAMED: Final = 3
"""How many nodes of one version are named."""


@dataclass(frozen=True, slots=True, order=True)
class RunningProgram:
    """A webhook or daemon in a cluster; `version` is "" where its image has no tag."""

    program: str
    version: str
    node: str
    pod: str
    image: str

    def as_json(self) -> dict[str, str]:
        """Return it as it is printed."""
        return {
            "program": self.program,
            "version": self.version,
            "node": self.node,
            "pod": self.pod,
            "image": self.image,
        }


def run_version(context: Context) -> int:
    """Print versions; return 1 if a cluster that is named did not tell its own."""
    console, own = context.console, version("netplane")
    found: list[RunningProgram] = []
    failure: PlanesError | None = None
    console.line(f"client   {own}")
    if not context.given.client and has_cluster(context):
        try:
            found = sorted(at_cluster(context, lambda api, _clock: running(api)))
        except PlanesError as error:
            failure = error
    for line in _lines(found):
        console.line(line)
    if failure is not None:
        console.error(failure)
    document: dict[str, Any] = {"client": own, "running": [one.as_json() for one in found]}
    if failure is not None:
        document["error"] = {"message": failure.message, "remedy": failure.remedy}
    console.document(document)
    return 0 if failure is None else 1


async def running(api: ReadApi) -> list[RunningProgram]:
    """Return the webhooks and daemons of a cluster.

    Raises:
        PlanesError: the API server cannot be read.
    """
    from planes.kube.api import Query  # noqa: PLC0415
    from planes.kube.resources import PODS  # noqa: PLC0415

    label = f"app.kubernetes.io/name in ({','.join(_PROGRAMS)})"
    query = Query(PODS, namespace=NETPLANE_NAMESPACE, labels=label)
    return [
        one
        async for page in api.pages(query)
        for obj in page.items
        if (one := _running(obj)) is not None
    ]


def _running(pod: Mapping[str, Any]) -> RunningProgram | None:
    meta, spec = pod["metadata"], pod.get("spec") or {}
    known = _PROGRAMS.get(str((meta.get("labels") or {}).get("app.kubernetes.io/name")))
    if known is None:
        return None
    program, name = known
    for container in spec.get("containers") or ():
        if container.get("name") == name:
            image = _text(container.get("image"))
            tag = _TAG.search(image.partition("@")[0])
            return RunningProgram(
                program,
                tag[1].removeprefix("v") if tag else "",
                _text(spec.get("nodeName")),
                _text(meta.get("name")),
                image,
            )
    return None


def _text(value: object) -> str:
    return printable(shortened(str(value or ""), 512))


def _lines(found: Iterable[RunningProgram]) -> list[str]:
    """Return one line for each version of each program."""
    nodes: dict[tuple[str, str], list[str]] = {}
    for one in found:
        what = one.version or f"of image {one.image}"
        nodes.setdefault((one.program, what), []).append(one.node or "no node yet")
    return [
        f"{program.ljust(8)} {what}  on {_listed(names)}"
        for (program, what), names in sorted(nodes.items())
    ]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--client", action="store_true", help="of this program only")


VERSION: Final = Command(
    words=("version",),
    help="print the version of this program, and of what runs in a cluster",
    run=run_version,
    options=CLUSTER_OPTIONS,
    add_arguments=_add_arguments,
    task=Task.PROGRAM,
    example="netplane version --context prod",
)
