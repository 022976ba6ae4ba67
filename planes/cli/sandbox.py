"""The part of a container runtime: a network namespace for a pod, and CNI calls of the shim.

Invariant: `remove_netns` may be called at any time and twice, also if there is no namespace.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from planes.cli.interrupts import held_back
from planes.model.errors import BadInput, Denied, Internal, JsonObject, PlanesError, Unavailable

NETNS_DIR: Final = Path("/run/netns")
INTERFACE: Final = "eth0"
NETCONF: Final = {"cniVersion": "1.0.0", "name": "netplane", "type": "netplane"}
# kubelet gives a sandbox four minutes; the shim itself waits one for the daemon, as a rule.
CALL_SECONDS: Final = 240.0
_IP_SECONDS: Final = 30.0
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The sandbox of one pod: its container id and its network namespace."""

    namespace: str
    pod: str
    uid: str

    @property
    def container_id(self) -> str:
        """Return 64 hex digits computed from the pod's UID."""
        return hashlib.sha256(f"sandbox {self.uid}".encode()).hexdigest()

    @property
    def netns_name(self) -> str:
        """Return the name that `ip netns` shows."""
        return f"np-{self.namespace}-{self.pod}"[:_LONGEST_NAME] + f"-{self.container_id[:8]}"

    @property
    def netns(self) -> Path:
        """Return the path of the network namespace."""
        return NETNS_DIR / self.netns_name

    def make_netns(self) -> None:
        """Make the network namespace, with its loopback up.

        Raises:
            Internal: the kernel or iproute2 refuses.
        """
        _ip("netns", "add", self.netns_name)
        try:
            _ip("-n", self.netns_name, "link", "set", "lo", "up")
        except PlanesError:
            self.remove_netns()
            raise

    def remove_netns(self) -> None:
        """Remove the network namespace, if there is one.

        Raises:
            Internal: it could not be removed.
        """
        if self.netns.exists():
            _ip("netns", "del", self.netns_name)


@dataclass(frozen=True, slots=True)
class Shim:
    """The CNI plugin binary, and the socket of its daemon.

    Attributes:
        wait_seconds: how long ADD waits for a daemon that is away; None is the shim's default, 60.
    """

    path: str
    socket: str
    state_dir: str
    wait_seconds: int | None = None

    def has_daemon(self) -> bool:
        """Report whether a daemon listens on the socket now."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(self.socket)
            except OSError:
                return False
        return True

    def call(self, verb: str, sandbox: Sandbox) -> JsonObject:
        """Run the shim as a container runtime does; return its result (empty for DEL).

        Raises:
            BadInput: the shim cannot be run.
            Unavailable: the call failed, or had no response in time; message and CNI code are
                those of the daemon.
        """
        try:
            done = subprocess.run(
                [self.path],
                env=self._environment(verb, sandbox),
                input=orjson.dumps(NETCONF),
                capture_output=True,
                timeout=CALL_SECONDS + (self.wait_seconds or 0),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"cannot {_WORDS[verb]} pod {sandbox.namespace}/{sandbox.pod}: no answer within "
                f"{CALL_SECONDS:.0f} s",
                remedy="look at the log of netplane-cni",
            ) from error
        except OSError as error:
            raise BadInput(
                f"cannot run the shim {self.path}: {error.strerror}",
                remedy="build it with `make setup`, or give --shim PATH",
            ) from error
        if done.returncode:
            raise _failure(verb, sandbox, done.stdout, done.stderr)
        return _result(done.stdout)

    def _environment(self, verb: str, sandbox: Sandbox) -> Mapping[str, str]:
        arguments = {
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": sandbox.namespace,
            "K8S_POD_NAME": sandbox.pod,
            "K8S_POD_INFRA_CONTAINER_ID": sandbox.container_id,
            "K8S_POD_UID": sandbox.uid,
        }
        wait = self.wait_seconds
        return {
            **({} if wait is None else {"NETPLANE_WAIT_SECONDS": str(wait)}),
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": sandbox.container_id,
            "CNI_NETNS": str(sandbox.netns),
            "CNI_IFNAME": INTERFACE,
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in arguments.items()),
            "CNI_PATH": str(Path(self.path).resolve().parent),
            "NETPLANE_SOCKET": self.socket,
            "NETPLANE_STATE_DIR": self.state_dir,
        }


_WORDS: Final = {"ADD": "attach", "DEL": "detach", "CHECK": "check"}


def require_root() -> None:
    """Raise an error unless this process may make network namespaces.

    Raises:
        Denied: it does not run as root.
    """
    if os.geteuid() != 0:
        raise Denied(
            "cannot make network namespaces: this needs root", remedy="run the command with sudo"
        )


def _failure(verb: str, sandbox: Sandbox, stdout: bytes, stderr: bytes) -> PlanesError:
    said = _result(stdout)
    message = str(said.get("msg") or "")
    if not message:
        lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["it gives no reason"]
        message = lines[-1]
    return Unavailable(
        f"cannot {_WORDS[verb]} pod {sandbox.namespace}/{sandbox.pod}: {message}",
        remedy=str(said.get("details") or ""),
        code=said["code"] if isinstance(said.get("code"), int) else None,
    )


def _result(stdout: bytes) -> JsonObject:
    try:
        said = orjson.loads(stdout)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _ip(*words: str) -> None:
    try:
        with held_back():
            done = subprocess.run(
                ["ip", *words],  # noqa: S607 - found by PATH: distributions differ in its place
                capture_output=True,
                text=True,
                timeout=_IP_SECONDS,
                check=False,
            )
    except FileNotFoundError as error:
        raise Internal(
            "cannot make network namespaces: the ip command is missing",
            remedy="install the package iproute2",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Internal(f"cannot run ip {' '.join(words)}: no end in {_IP_SECONDS:.0f} s") from error
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise Internal(
            f"cannot run ip {' '.join(words)}: {cause}",
            remedy="network namespaces need root and the capability SYS_ADMIN",
        )
