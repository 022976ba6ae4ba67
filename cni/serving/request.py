"""One CNI call as a value: the variables and stdin of a plugin, checked in the reference's order.

First the environment, then the configuration, its name, the identifiers, its version; every error
carries the code the reference plugins give. A `CniRequest` exists only where all of that holds,
so nothing behind it checks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from planes.model.decode import Fields, loads_object
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.names import check_container_id, check_ifname, check_network_name, shown
from planes.model.wire.cniversion import OLDEST, Verb, check_verb

HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CNI_COMMAND": "Cni-Command",
        "CNI_CONTAINERID": "Cni-Containerid",
        "CNI_NETNS": "Cni-Netns",
        "CNI_IFNAME": "Cni-Ifname",
        "CNI_ARGS": "Cni-Args",
        "CNI_PATH": "Cni-Path",
    }
)
"""The variables of a call, and the headers that carry them."""

_CONFIG: Final = "the network configuration"
# What each verb cannot do without (CNI spec 1.1.0 §2; CNI_PATH as the reference wants it). The
# cniVersion each needs is in planes.model.wire.cniversion.
_REQUIRED: Final[Mapping[Verb, tuple[str, ...]]] = MappingProxyType(
    {
        Verb.ADD: ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
        Verb.CHECK: ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"),
        Verb.DEL: ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"),
        Verb.GC: ("CNI_PATH",),
        Verb.STATUS: ("CNI_PATH",),
        Verb.VERSION: (),
    }
)


@dataclass(frozen=True, slots=True)
class CniRequest:
    """One call, checked.

    Attributes:
        verb: what to do.
        container_id: the sandbox; "" for GC, STATUS and VERSION.
        netns: path of the sandbox's network namespace; may be "" for DEL.
        ifname: the interface in the sandbox; "" for GC, STATUS and VERSION.
        cni_args: CNI_ARGS as ordered pairs.
        cni_path: directories to look plugins up in.
        stdin: the configuration as it came; never into logs or errors.
        conf: the configuration; empty for VERSION, which has none.
        is_delegated: it is about the very network in the configuration, not about a sandbox.
    """

    verb: Verb
    container_id: str
    netns: str
    ifname: str
    cni_args: tuple[tuple[str, str], ...]
    cni_path: tuple[str, ...]
    stdin: bytes
    conf: JsonObject
    is_delegated: bool = False

    @property
    def cni_version(self) -> str:
        """The version the configuration asks for; without one, what the spec then means."""
        return Fields(self.conf, _CONFIG).string("cniVersion") or OLDEST

    @property
    def network(self) -> str:
        """The configuration's name."""
        return Fields(self.conf, _CONFIG).string("name")

    @property
    def facts(self) -> Mapping[str, str]:
        """What every log line of the call says of it; the pod as far as the caller tells."""
        args = dict(self.cni_args)
        namespace, pod = args.get("K8S_POD_NAMESPACE", ""), args.get("K8S_POD_NAME", "")
        found = {
            "verb": self.verb.value,
            "container_id": self.container_id,
            "ifname": self.ifname,
            "pod": f"{namespace}/{pod}" if pod else "",
            "uid": args.get("K8S_POD_UID", ""),
        }
        return {name: value for name, value in found.items() if value}


def parse_request(headers: Mapping[str, str], body: bytes) -> CniRequest:
    """Read a call as the shim sends it.

    Args:
        headers: in any case; those that are no CNI variable are ignored.
        body: stdin of the plugin.

    Raises:
        BadInput: see `parse_call`.
    """
    folded = {name.lower(): value for name, value in headers.items()}
    carried = {name: folded.get(header.lower(), "") for name, header in HEADERS.items()}
    return parse_call(carried, body)


def parse_call(variables: Mapping[str, str], stdin: bytes) -> CniRequest:
    """Read a call from the plugin's environment and stdin.

    Raises:
        BadInput: code 4 for the environment (every missing variable named), 6 for a configuration
            that is no JSON object, 7 for its name, 4 for containerID and interface name, 1 for a
            version that is not ours or too old for the verb.
    """
    verb = _verb(variables.get("CNI_COMMAND", ""))
    _check_required(verb, variables)
    conf = {} if verb is Verb.VERSION else loads_object(stdin, _CONFIG)
    request = CniRequest(
        verb=verb,
        container_id=variables.get("CNI_CONTAINERID", ""),
        netns=variables.get("CNI_NETNS", ""),
        ifname=variables.get("CNI_IFNAME", ""),
        cni_args=parse_cni_args(variables.get("CNI_ARGS", ""), tolerant=verb not in _ATTACHING),
        cni_path=tuple(d for d in variables.get("CNI_PATH", "").split(":") if d),
        stdin=stdin,
        conf=conf,
    )
    if verb is not Verb.VERSION:
        _check_config(request)
    return request


def parse_cni_args(text: str, *, tolerant: bool = False) -> tuple[tuple[str, str], ...]:
    """Read `K=V;K2=V2`; a value may hold `=`, empty pieces are nothing.

    Args:
        text: the value of CNI_ARGS.
        tolerant: leave malformed pieces out: a DEL must not fail over what an ADD never took.

    Raises:
        BadInput: code 4; a piece has no `=` or no key.
    """
    pairs: list[tuple[str, str]] = []
    for piece in filter(None, text.split(";")):
        key, equals, value = piece.partition("=")
        if key and equals:
            pairs.append((key, value))
        elif not tolerant:
            raise BadInput(
                f"cannot read CNI_ARGS: invalid pair {shown(piece)}",
                remedy="write it as KEY=VALUE;KEY=VALUE",
                code=CniCode.BAD_ENVIRONMENT,
            )
    return tuple(pairs)


_ATTACHING: Final = frozenset({Verb.ADD, Verb.CHECK})


def _verb(command: str) -> Verb:
    if not command:
        raise BadInput(
            "cannot carry out the call: required env variables [CNI_COMMAND] missing",
            code=CniCode.BAD_ENVIRONMENT,
        )
    try:
        return Verb(command)
    except ValueError as error:
        raise BadInput(
            f"cannot carry out the call: unknown CNI_COMMAND: {shown(command)}",
            remedy=f"use one of {', '.join(Verb)}",
            code=CniCode.BAD_ENVIRONMENT,
        ) from error


def _check_required(verb: Verb, variables: Mapping[str, str]) -> None:
    missing = [name for name in _REQUIRED[verb] if not variables.get(name)]
    if missing:
        raise BadInput(
            f"cannot carry out {verb}: required env variables [{','.join(missing)}] missing",
            code=CniCode.BAD_ENVIRONMENT,
        )


def _check_config(request: CniRequest) -> None:
    fields = Fields(request.conf, _CONFIG)
    check_network_name(fields.string("name"))
    required = _REQUIRED[request.verb]
    if "CNI_CONTAINERID" in required:
        check_container_id(request.container_id)
    if "CNI_IFNAME" in required:
        check_ifname(request.ifname)
    check_verb(fields.string("cniVersion"), request.verb)
