"""Whose sandbox it is: the pod of a call, as the store knows it.

Invariant: a pod that was created anew under the same name never gets the old one's networks, nor
the other way round: the UID must match. Where the store knows no such pod the default network
alone is attached, or in standalone mode what the netconf names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from planes.model.decode import Fields
from planes.model.errors import BadInput, JsonObject, Unavailable
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane import Plane
from planes.store.protocol import Store

_DEFAULT_NAMESPACE: Final = "default"
_WHAT: Final = "the network configuration"


@dataclass(frozen=True, slots=True)
class Caller:
    """What a call says about its sandbox.

    Attributes:
        container_id: the sandbox.
        namespace: K8S_POD_NAMESPACE, "" where not given.
        pod: K8S_POD_NAME, "" where not given.
        uid: K8S_POD_UID, "" where not given.
    """

    container_id: str
    namespace: str
    pod: str
    uid: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose sandbox it is.

    Attributes:
        pod: the pod; made up where nobody knows one.
        namespace: its namespace as last seen; without labels where nobody knows it.
        is_known: the store has the pod.
        has_planes: planes apply (a known pod, or a netconf that names some).
    """

    pod: Pod
    namespace: Namespace
    is_known: bool
    has_planes: bool


class Pods:
    """Finds the subject of a call.

    Args:
        store: where pods and namespaces come from.
        is_standalone: netconf keys may stand in for a pod (design: one machine, no cluster).
        node: this node's name; a pod that is for another one is refused on a cluster.
    """

    def __init__(self, store: Store, *, is_standalone: bool, node: str = "") -> None:
        self._store = store
        self._is_standalone = is_standalone
        self._node = node

    async def find(self, caller: Caller, conf: JsonObject) -> Subject:
        """Find the pod: as watched, else by one live read.

        Raises:
            PlanesError: it cannot be told whether it is of the workload it names, where a plane
                reserves addresses for that.
            Unavailable: a pod of that name exists, but it is not the one the caller means (yet), or
                its namespace was not seen yet: without its labels nobody knows its planes.
            BadInput: the netconf's `namespace` or `planes` is no such thing, or this node goes by
                another node's name: then both would hand out the same addresses.
        """
        pod = await self._pod(caller)
        if pod is not None:
            doubt = await self._store.owner_doubt(pod)
            if doubt:
                pod = replace(pod, owner_doubt=doubt)
            return Subject(pod, self._namespace_of(pod), is_known=True, has_planes=True)
        if self._is_standalone:
            return self._made_up(caller, Fields(conf, _WHAT))
        namespace = caller.namespace or _DEFAULT_NAMESPACE
        return self._stranger(caller, namespace)

    async def _pod(self, caller: Caller) -> Pod | None:
        if not caller.namespace or not caller.pod:
            return None
        pod = self._store.pod(caller.namespace, caller.pod)
        if pod is None or not _is_same(pod, caller.uid):
            pod = await self._store.fetch_pod(caller.namespace, caller.pod)
        if pod is not None and not _is_same(pod, caller.uid):
            raise Unavailable(
                f"cannot attach pod {pod.key}: its UID is {pod.uid}, the sandbox is for "
                f"{caller.uid}",
                remedy="the pod was created anew: its old sandbox can go",
            )
        if pod is not None and not self._is_standalone and pod.node not in {"", self._node}:
            raise BadInput(
                f"cannot attach pod {pod.key}: it is for node {pod.node}, and this daemon is for "
                f"node {self._node}",
                remedy="set NETPLANE_NODE of the daemon from its pod's spec.nodeName",
            )
        return pod

    def _namespace_of(self, pod: Pod) -> Namespace:
        found = self._store.namespace(pod.namespace)
        if found is None and not self._is_standalone:
            raise Unavailable(
                f"cannot attach pod {pod.key}: its namespace is not seen yet, so its planes are "
                "not known",
                remedy="try again; see the daemon's log if it lasts",
            )
        return found or Namespace(pod.namespace)

    def _namespace(self, name: str) -> Namespace:
        return self._store.namespace(name) or Namespace(name)

    def _stranger(self, caller: Caller, namespace: str) -> Subject:
        pod = Pod(namespace, caller.pod or caller.container_id, uid=caller.uid)
        return Subject(pod, self._namespace(namespace), is_known=False, has_planes=False)

    def _made_up(self, caller: Caller, fields: Fields) -> Subject:
        """Give a pod as the netconf describes it."""
        asked, planes = fields.string("namespace"), fields.strings("planes")
        stranger = self._stranger(caller, asked or caller.namespace or _DEFAULT_NAMESPACE)
        if not asked and not planes:
            return stranger
        if asked and self._store.namespace(asked) is None:
            raise BadInput(
                f'cannot use {_WHAT}: there is no namespace "{asked}" among the manifests',
                remedy="add a Namespace manifest, its labels say which planes apply",
            )
        if not planes:
            return replace(stranger, has_planes=True)
        if not asked:  # these planes and no others, whatever the namespace joins
            stranger = replace(stranger, namespace=Namespace(stranger.namespace.name))
        return self._with_planes(stranger, planes)

    def _with_planes(self, stranger: Subject, planes: tuple[str, ...]) -> Subject:
        """Join the named planes: whoever writes netconfs on this machine may."""
        catalog = self._store.catalog
        namespace = stranger.namespace
        asked: list[str] = []
        for name in planes:
            plane = catalog.plane(name)
            if plane is None:
                raise BadInput(
                    f'cannot use {_WHAT}: there is no plane "{name}"',
                    remedy=f"choose among {', '.join(p.name for p in catalog.planes) or 'none'}",
                )
            namespace = _joined(namespace, plane)
            asked.append(f"{plane.ref}@{plane.interface}" if plane.interface else str(plane.ref))
        pod = replace(stranger.pod, annotations={NETWORKS_ANNOTATION: ",".join(asked)})
        return Subject(pod, namespace, is_known=False, has_planes=True)


def _joined(namespace: Namespace, plane: Plane) -> Namespace:
    """Give the namespace with labels that join the plane, where its own do not."""
    if plane.joined_by(namespace):
        return namespace
    labels = dict(namespace.labels)
    for requirement in plane.selector.requirements:
        if requirement.operator == "In":
            labels[requirement.key] = requirement.values[0]
        elif requirement.operator == "Exists":
            labels.setdefault(requirement.key, "")
    return replace(namespace, labels=labels)


def _is_same(pod: Pod, uid: str) -> bool:
    """Compare UIDs; manifests on disk may have none, and a static pod has another than its own."""
    return not uid or not pod.uid or pod.uid == uid or pod.is_static
