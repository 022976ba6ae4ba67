"""One CNI call as a value: the environment variables and stdin of a plugin, parsed and checked.

The order of the checks is that of the reference plugins, and so are the error codes: first the
environment, then the configuration, its name, the identifiers, its version. CNI_ARGS are parsed
here and nowhere else. Invariant: a `CniRequest` has passed all checks; no later code repeats them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from planes.model.decode import Fields, loads_object
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.names import check_container_id, check_ifname, check_network_name, shown
from planes.model.wire.cniversion import OLDEST, Verb, check_verb

VARIABLES: Final = (
    "CNI_COMMAND",
    "CNI_CONTAINERID",
    "CNI_NETNS",
    "CNI_IFNAME",
    "CNI_ARGS",
    "CNI_PATH",
)
"""The environment variables of a call (CNI spec 1.1.0 §2, "Parameters")."""

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
class PodIdentity:
    """Which pod a sandbox is for; "" for what is not known.

    Attributes:
        namespace: K8S_POD_NAMESPACE in CNI_ARGS.
        name: K8S_POD_NAME.
        uid: K8S_POD_UID.
    """

    namespace: str = ""
    name: str = ""
    uid: str = ""

    def to_args(self, container_id: str) -> tuple[tuple[str, str], ...]:
        """Return it as CNI_ARGS for a plugin, in the order that Multus fixed."""
        return (
            ("IgnoreUnknown", "true"),
            ("K8S_POD_NAMESPACE", self.namespace),
            ("K8S_POD_NAME", self.name),
            ("K8S_POD_INFRA_CONTAINER_ID", container_id),
            ("K8S_POD_UID", self.uid),
        )


POD_ARGS: Final = frozenset(key for key, _ in PodIdentity().to_args(""))
"""The CNI_ARGS that `PodIdentity.to_args` writes."""


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
        is_delegated: Multus' `/delegate`: the configuration is that of the one network to attach.
        waited: seconds that the call has waited for its sandbox's lock and a slot.
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
    waited: float = field(default=0.0, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """Container ID and interface: what names an attachment in the CNI spec."""
        return self.container_id, self.ifname

    @property
    def cni_version(self) -> str:
        """The version the configuration asks for; without one, what the spec then means."""
        return Fields(self.conf, _CONFIG).string("cniVersion") or OLDEST

    @property
    def network(self) -> str:
        """The configuration's name."""
        return Fields(self.conf, _CONFIG).string("name")

    @property
    def runtime_config(self) -> Mapping[str, Any]:
        """The capability arguments that the runtime passes; {} where they are no object."""
        given = self.conf.get("runtimeConfig")
        return given if isinstance(given, dict) else {}

    @property
    def pod(self) -> PodIdentity:
        """The pod that CNI_ARGS name."""
        args = dict(self.cni_args)
        return PodIdentity(
            namespace=args.get("K8S_POD_NAMESPACE", ""),
            name=args.get("K8S_POD_NAME", ""),
            uid=args.get("K8S_POD_UID", ""),
        )

    @property
    def facts(self) -> Mapping[str, str]:
        """The fields of every log line of the call."""
        pod = self.pod
        found = {
            "verb": self.verb.value,
            "container_id": self.container_id,
            "ifname": self.ifname,
            "pod": f"{pod.namespace}/{pod.name}" if pod.name else "",
            "uid": pod.uid,
        }
        return {name: value for name, value in found.items() if value}

    def after_waiting(self, seconds: float) -> CniRequest:
        """Return it after it has waited so many seconds more."""
        return replace(self, waited=self.waited + seconds) if seconds else self

    def with_path(self, more: tuple[str, ...]) -> CniRequest:
        """Return it with further directories to look plugins up in, after its own."""
        path = tuple(dict.fromkeys((*self.cni_path, *more)))
        return self if path == self.cni_path else replace(self, cni_path=path)


def check_netns(request: CniRequest) -> None:
    """Check that the path of the namespace can be journaled.

    Raises:
        BadInput: code 4; it is not UTF-8.
    """
    try:
        request.netns.encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            "cannot use CNI_NETNS: the path is not UTF-8", code=CniCode.BAD_ENVIRONMENT
        ) from error


def parse_call(variables: Mapping[str, str], stdin: bytes) -> CniRequest:
    """Parse a call from the plugin's environment and stdin.

    Raises:
        BadInput: code 4 for the environment (every missing variable is named), 6 for a
            configuration that is no JSON object, 7 for its name, 4 for container ID and interface
            name, 1 for a version that is not supported or too old for the verb.
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
    """Parse `K=V;K2=V2`; a value may contain `=`, empty pieces are ignored.

    Args:
        text: the value of CNI_ARGS.
        tolerant: leave malformed pieces out: a DEL must not fail for what an ADD refused.

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
