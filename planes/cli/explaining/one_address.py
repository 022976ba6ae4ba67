"""Explain an address of a plane: what it is there, who has it, and who may ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planes.cli.console import Console
from planes.cli.explaining.items import ExplainedItem
from planes.cli.reading.address_roles import AddressRole, Role, role_of
from planes.cli.reading.address_use import (
    AddressUse,
    PlaneUse,
    Proof,
    plane_in_force,
    plane_uses,
)
from planes.cli.reading.near_addresses import free_near
from planes.cli.reading.place import Place
from planes.cli.reading.plane_conditions import plane_seen
from planes.kube.resources import NAMESPACES, PLANES, PODS
from planes.kube.store.namespaces import read_namespace
from planes.model.addresses import AddressRange, IPAddress, parse_address
from planes.model.decide.explain import why_not_joined
from planes.model.errors import BadInput, Denied, Finding, JsonObject, NotFound
from planes.model.lines import first_few, one_line
from planes.model.names import is_dns_label, is_dns_subdomain, shown
from planes.model.objects import Namespace, Pod
from planes.model.spec.address_policy import refusal
from planes.model.spec.plane_spec import Allow, IpamMode, Plane

_MOST_FREE: Final = 5
_MOST_SHOWN: Final = 6
_LONGEST: Final = 512
_GIVEN_TO_NOBODY: Final = frozenset(
    {Role.OUTSIDE, Role.GATEWAY, Role.UNUSABLE, Role.EXCLUDED, Role.UNUSED}
)


@dataclass(frozen=True, slots=True)
class AddressAsker:
    """For whom an address is asked about: a pod, any pod of a namespace, or ("", "") any."""

    namespace: str = ""
    pod: str = ""

    @property
    def text(self) -> str:
        """Name the asker."""
        if self.pod:
            return f"pod {self.namespace}/{self.pod}"
        return f"a pod of namespace {self.namespace}" if self.namespace else "a pod"


async def explain_address(
    place: Place, console: Console, plane_name: str, text: str, asker: AddressAsker
) -> ExplainedItem:
    """Print what an address of a plane is and who may have it, and return it.

    Raises:
        BadInput: it is no address, or a name is none.
        NotFound: there is no such plane or namespace.
        PlanesError: something cannot be read.
    """
    address = parse_address(text)
    _check_names(plane_name, asker)
    obj = await place.api.get(PLANES, plane_name)
    plane = plane_in_force(place, obj)
    unknown = []
    try:
        use = (await plane_uses(place, [plane_name]))[plane_name]
    except Denied as error:
        use = PlaneUse(plane, obj)
        unknown.append(f"not known: who has it: {error}")
    role = role_of(plane, address)
    pod = await _pod(place, asker)
    namespace = await _namespace(place, asker)
    found = _faults(plane, role, address, use, asker, pod=pod, namespace=namespace)
    errors = (*_not_accepted(obj), *found)
    for told in unknown:
        console.warn(told)
    spans = _askable(plane, pod, use)
    near = free_near(spans, address, {*use.uses, *use.cooling}, _MOST_FREE)
    _print(console, plane, address, role, use, near=near, is_known=not unknown)
    if errors:
        console.line(f"No, {asker.text} may not ask for it:", "red")
    elif asker.namespace:
        console.line(f"Yes, {asker.text} may ask for it.", "green")
    for fault in errors:
        console.line(f"  - {fault.message}")
        console.line(f"    remedy: {fault.remedy}")
    details = {**_details(address, plane, role, use, near=near), "unknown": unknown}
    return ExplainedItem("Address", asker.namespace, str(address), errors, (), details)


def _not_accepted(obj: JsonObject) -> Iterator[Finding]:
    """Yield why the leader does not accept a plane, e.g. as another one has its addresses."""
    accepted = plane_seen(obj).conditions.get("Accepted")
    if accepted is not None and accepted.status == "False":
        name = obj["metadata"]["name"]
        yield Finding("", f"plane {name} is not accepted: {accepted.message}", "correct the plane")


def _check_names(plane: str, asker: AddressAsker) -> None:
    for name, is_name in (
        (plane, is_dns_label(plane)),
        (asker.namespace, not asker.namespace or is_dns_label(asker.namespace)),
        (asker.pod, not asker.pod or is_dns_subdomain(asker.pod)),
    ):
        if not is_name:
            raise BadInput(f"cannot look for {shown(name)}: it is no name", remedy="correct it")


async def _pod(place: Place, asker: AddressAsker) -> Pod:
    """Return the pod that asks; where there is none yet, one of that name without labels."""
    if not asker.pod:
        return Pod(asker.namespace, "")
    try:
        return Pod.from_object(await place.api.get(PODS, asker.pod, namespace=asker.namespace))
    except NotFound:
        return Pod(asker.namespace, asker.pod)


async def _namespace(place: Place, asker: AddressAsker) -> Namespace | None:
    if not asker.namespace:
        return None
    return read_namespace(await place.api.get(NAMESPACES, asker.namespace, is_metadata_only=True))


def _faults(
    plane: Plane,
    role: AddressRole,
    address: IPAddress,
    use: PlaneUse,
    asker: AddressAsker,
    *,
    pod: Pod,
    namespace: Namespace | None,
) -> Iterator[Finding]:
    """Yield why the asker may not have the address, and what is wrong with it in any case."""
    uses = use.uses.get(address, [])
    others = [one for one in uses if not asker.pod or one.pod != pod.key]
    if len({one.pod for one in uses if one.pod}) > 1:
        names = first_few([one_line(one.pod, _LONGEST) for one in uses], _MOST_SHOWN)
        message = f"{address} is of several pods at once: {names}"
        yield Finding("", message, "netplane ip check says what is wrong; one of them has to go")
    if namespace is not None and not plane.joined_by(namespace):
        message = f"cannot give {asker.text} an address of plane {plane.name}: "
        message += why_not_joined(plane, namespace)
        yield Finding("", message, f"label the namespace with {plane.label}: enabled")
    elif asker.pod and pod.labels and not plane.pod_selector.matches(pod.labels):
        message = f"cannot give {asker.text} an address of plane {plane.name}: "
        message += f"its labels do not match {plane.pod_selector}"
        yield Finding("", message, "give the pod these labels")
    if asker.namespace or role.role in _GIVEN_TO_NOBODY:
        refused = refusal(plane, pod, address)
        if refused is not None:
            message = f"cannot give {asker.text} {address}: {refused.cause}"
            yield Finding("", message, refused.remedy, refused.status)
    if asker.namespace and others:
        message = f"cannot give {asker.text} {address}: {_holder(others[0])} has it"
        yield Finding("", message, "ask for one that is free, or remove what has it", 409)
    elif asker.namespace and address in use.cooling:
        message = f"cannot give {asker.text} {address} yet: it rests after its last pod"
        yield Finding("", message, f"wait up to {plane.cooldown_seconds} s", 409)


def _askable(plane: Plane, pod: Pod, use: PlaneUse) -> Sequence[AddressRange]:
    """Return what may be asked for: what is reserved for the pod, and what anybody may have."""
    if plane.ipam_mode is IpamMode.NONE or plane.allow is Allow.NEVER:
        return ()
    own = [AddressRange(one.address, one.address) for one in plane.reserved_for(pod)]
    anybodys = [span for subnet in plane.subnets for span in subnet.askable]
    return [*own, *(anybodys if plane.allow is Allow.ANY else ())]


def _holder(use: AddressUse) -> str:
    if use.pod:
        return f"pod {one_line(use.pod, _LONGEST)}"
    return f"IPAMClaim {one_line(use.claim, _LONGEST)}" if use.claim else "an unknown pod"


def _print(
    console: Console,
    plane: Plane,
    address: IPAddress,
    role: AddressRole,
    use: PlaneUse,
    *,
    near: Sequence[IPAddress],
    is_known: bool,
) -> None:
    console.line(f"{address} in plane {plane.name}: {role.text}.")
    for one in use.uses.get(address, [])[:_MOST_SHOWN]:
        facts = [f"UID {one.uid}"] if one.uid else []
        facts += [f"node {one.node}"] if one.node else []
        facts += [f"since {one.since}"] if one.since else []
        facts += [f"kept for {one.claim}"] if one.claim and one.pod else []
        hint = "" if one.proof is not Proof.STATUS else "; by its network-status, which is a hint"
        told = one_line(f" ({', '.join(facts)}{hint})" if facts or hint else "", _LONGEST)
        console.line(f"Held by {_holder(one)}{' ' if told else ''}{told}.")
    if not is_known:
        return
    if not use.uses.get(address):
        is_cooling = address in use.cooling
        node = use.node_of(address)
        block = f" It is in a block of node {node}." if node else ""
        console.line(f"Nobody has it{', and it rests' if is_cooling else ''}.{block}")
    if near:
        console.line(f"Free near it, for whoever may ask: {', '.join(map(str, near))}")
    else:
        console.line("No address that may be asked for is free near it.")


def _details(
    address: IPAddress,
    plane: Plane,
    role: AddressRole,
    use: PlaneUse,
    *,
    near: Sequence[IPAddress],
) -> JsonObject:
    return {
        "plane": plane.name,
        "address": str(address),
        "role": role.role.name.lower(),
        "roleText": role.text,
        "heldBy": [
            {
                "pod": one.pod,
                "uid": one.uid,
                "node": one.node,
                "since": one.since,
                "claim": one.claim,
                "proof": str(one.proof),
            }
            for one in use.uses.get(address, ())
        ],
        "resting": address in use.cooling,
        "blockOf": use.node_of(address),
        "freeNear": list(map(str, near)),
    }
