"""The pod of a call, as the store has it.

Invariant: a pod that was created anew under the same name never gets the old one's networks, nor
the other way round: the UID must match. Where the store has no such pod, the default network alone
is attached, or in standalone mode what the netconf names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NoReturn

from cni.call import CniRequest, PodIdentity
from cni.planning.requested_interface import (
    RequestedInterface,
    read_requested_interface,
    stands_alone,
)
from planes.model.decode import Fields
from planes.model.encode import dumps
from planes.model.errors import BadInput, JsonObject, Unavailable
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.near_names import did_you_mean, nearest_name
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane_spec import Attach, Plane
from planes.store.protocol import Store

_DEFAULT_NAMESPACE: Final = "default"
_WHAT: Final = "the network configuration"
_OUR_KEYS: Final = ("delegate", "namespace", "planes")
_LONGEST_KEY: Final = 32  # characters that are compared
_ALIKE: Final = 0.8
"""More than usual: a key that is not near one of ours is somebody else's and stays."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The pod that a sandbox is for.

    Attributes:
        pod: the pod; made from the call where the store has none.
        namespace: its namespace as last seen; without labels where the store has none.
        is_known: the store has the pod.
        has_planes: planes apply: to a known pod, or to a netconf that names some.
        is_alone: the first plane is the interface that the call names; see `stands_alone`.
    """

    pod: Pod
    namespace: Namespace
    is_known: bool
    has_planes: bool
    is_alone: bool = False

    @property
    def identity(self) -> PodIdentity:
        """The pod as plugins and the journal get it."""
        return PodIdentity(self.pod.namespace, self.pod.name, self.pod.uid)


class Pods:
    """Finds the pod of a call.

    Args:
        store: has pods and namespaces.
        is_standalone: one machine, no cluster: the netconf may name planes in place of a pod.
        node: this node's name; on a cluster a pod of another node is refused.
    """

    def __init__(self, store: Store, *, is_standalone: bool, node: str = "") -> None:
        self._store = store
        self._is_standalone = is_standalone
        self._node = node

    async def find(self, request: CniRequest) -> Subject:
        """Find the pod, in the store's cache or by one live read.

        Raises:
            PlanesError: the workload that owns the pod cannot be read, and a plane reserves
                addresses for workloads.
            Unavailable: the pod of that name has another UID (yet), or its namespace was not seen
                yet: its planes follow from the namespace's labels.
            BadInput: the netconf's `namespace` or `planes` is misspelt or does not exist; an
                address or MAC is requested that no interface would get; or the pod is for another
                node: two nodes of one name would assign the same addresses.
        """
        pod = await self._pod(request.pod)
        if pod is not None:
            doubt = await self._store.owner_doubt(pod)
            if doubt:
                pod = replace(pod, owner_doubt=doubt)
            return Subject(pod, self._namespace_of(pod), is_known=True, has_planes=True)
        if self._is_standalone:
            # The configuration of `/delegate` is that of a network, without our keys.
            conf = {} if request.is_delegated else request.conf
            _refuse_near_keys(conf)
            return self._from_netconf(request, Fields(conf, _WHAT))
        return self._unknown(request, request.pod.namespace or _DEFAULT_NAMESPACE)

    async def _pod(self, asked: PodIdentity) -> Pod | None:
        if not asked.namespace or not asked.name:
            return None
        pod = self._store.pod(asked.namespace, asked.name)
        if pod is None or not _is_same(pod, asked.uid):
            pod = await self._store.fetch_pod(asked.namespace, asked.name)
        if pod is not None and not _is_same(pod, asked.uid):
            raise Unavailable(
                f"cannot attach pod {pod.key}: its UID is {pod.uid}, the sandbox is for "
                f"{asked.uid}",
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

    def _unknown(self, request: CniRequest, namespace: str) -> Subject:
        pod = Pod(namespace, request.pod.name or request.container_id, uid=request.pod.uid)
        return Subject(pod, self._namespace(namespace), is_known=False, has_planes=False)

    def _from_netconf(self, request: CniRequest, fields: Fields) -> Subject:
        """Return a pod made from the netconf."""
        named, planes = fields.string("namespace"), fields.strings("planes")
        unknown = self._unknown(request, named or request.pod.namespace or _DEFAULT_NAMESPACE)
        requested = RequestedInterface()
        if stands_alone(fields):
            unknown = replace(unknown, is_alone=True)
            requested = read_requested_interface(request.cni_args, fields)
        if not named and not planes:
            return unknown if not requested else _refuse_requested(requested)
        if named and self._store.namespace(named) is None:
            raise BadInput(
                f'cannot use {_WHAT}: there is no namespace "{named}" among the manifests',
                remedy="add a Namespace manifest, its labels say which planes apply",
            )
        if not planes:
            planes = self._first(unknown, requested)
            if not planes:
                return replace(unknown, has_planes=True)
            return self._with_planes(unknown, planes, requested)
        if not named:  # these planes and no others, whatever the namespace joins
            unknown = replace(unknown, namespace=Namespace(unknown.namespace.name))
        return self._with_planes(unknown, planes, requested)

    def _first(self, unknown: Subject, requested: RequestedInterface) -> tuple[str, ...]:
        """Return the plane of a namespace that gets what is requested; () where nothing is.

        Raises:
            BadInput: the namespace has joined none.
        """
        if not requested:
            return ()
        for plane in self._store.catalog.membership(unknown.namespace).planes:
            if plane.attachment is Attach.ALWAYS and plane.pod_selector.matches({}):
                return (plane.name,)
        return _refuse_requested(requested)

    def _with_planes(
        self, unknown: Subject, planes: tuple[str, ...], requested: RequestedInterface
    ) -> Subject:
        """Return the pod with the named planes; a netconf of this machine may join any."""
        catalog = self._store.catalog
        namespace = unknown.namespace
        elements: list[JsonObject] = []
        for name in planes:
            plane = catalog.plane(name)
            if plane is None:
                raise BadInput(
                    f'cannot use {_WHAT}: there is no plane "{name}"',
                    remedy=f"choose among {', '.join(p.name for p in catalog.planes) or 'none'}",
                )
            namespace = _joined(namespace, plane)
            named = {"interface": plane.interface} if plane.interface else {}
            elements.append({"name": plane.ref.name, "namespace": plane.ref.namespace, **named})
        elements[0] |= requested.to_element()
        text = dumps(elements, "the networks of the container").decode()
        pod = replace(unknown.pod, annotations={NETWORKS_ANNOTATION: text})
        return replace(unknown, pod=pod, namespace=namespace, has_planes=True)


def _refuse_near_keys(conf: JsonObject) -> None:
    """Refuse a misspelt key of ours, which would start the container without its planes.

    Raises:
        BadInput: a key is nearly `planes`, `namespace` or `delegate`.
    """
    for key in conf:
        folded = key[:_LONGEST_KEY].casefold()
        near = nearest_name(folded, _OUR_KEYS, _ALIKE)
        if near and folded not in _OUR_KEYS:
            raise BadInput(
                f'cannot use {_WHAT}: nobody reads its key "{key[:_LONGEST_KEY]}"',
                remedy=did_you_mean(near),
            )


def _refuse_requested(requested: RequestedInterface) -> NoReturn:
    """Refuse an address or MAC that no interface would get.

    Raises:
        BadInput: always.
    """
    asked = ", ".join((*requested.ips, *([requested.mac] if requested.mac else [])))
    raise BadInput(
        f"cannot give the container {asked}: its netconf names no plane and no default network",
        remedy='add "planes", or a "namespace" that joined one',
    )


def _joined(namespace: Namespace, plane: Plane) -> Namespace:
    """Return the namespace with labels that join the plane."""
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
    """Report whether UIDs match; a manifest may have none, a static pod has its mirror's."""
    return not uid or not pod.uid or pod.uid == uid or pod.is_static
