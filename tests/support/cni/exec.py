"""Plugin binaries that exist only in memory: scripted, and watched.

`FakeExec` implements `cni.host.exec.Exec`. Each type answers as its script says; `attached` holds
what an ADD made and no DEL has taken back, so that a test can assert that nothing is left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cni.host.exec import Completed

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PluginCall:
    """One run of a binary, as it saw it."""

    kind: str
    env: Mapping[str, str]
    conf: JsonObject

    @property
    def verb(self) -> str:
        return self.env["CNI_COMMAND"]

    @property
    def ifname(self) -> str:
        return self.env["CNI_IFNAME"]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.env["CNI_CONTAINERID"], self.ifname

    @property
    def name(self) -> str:
        """E.g. `ADD macvlan net1`."""
        return f"{self.verb} {self.kind} {self.ifname}"


Script = Callable[[PluginCall], Awaitable[Completed]]


def ok(result: JsonObject | None = None) -> Completed:
    """End well, with a result."""
    return Completed(0, b"" if result is None else json.dumps(result).encode(), b"")


def failed(message: str, code: int = 100, details: str = "") -> Completed:
    """End as plugins do that fail."""
    error = {"cniVersion": "1.0.0", "code": code, "msg": message, "details": details}
    return Completed(1, json.dumps(error).encode(), b"")


async def plain(call: PluginCall) -> Completed:
    """Act as an interface plugin: one interface, the address of the netconf's key `ip`."""
    if call.verb != "ADD":
        return ok()
    prev = call.conf.get("prevResult")
    if prev is not None:
        return ok(prev)
    result: JsonObject = {
        "cniVersion": call.conf["cniVersion"],
        "interfaces": [
            {"name": call.ifname, "sandbox": call.env["CNI_NETNS"], "mac": "02:00:00:00:00:01"}
        ],
        "ips": [],
    }
    if "ip" in call.conf:
        result["ips"] = [{"address": call.conf["ip"], "interface": 0}]
    for given in call.conf.get("ipam", {}).get("addresses", ()):
        result["ips"].append({**given, "interface": 0})
    if not call.conf["cniVersion"].startswith("1."):
        for ip in result["ips"]:
            ip["version"] = "4"
    return ok(result)


@dataclass
class FakeExec:
    """Runs scripts in the place of binaries.

    Attributes:
        scripts: type to script; a type that is not there has no binary.
        calls: every run, in the order they started.
        ended: names of runs that ended, in the order they ended.
        attached: (type, containerID, ifname) of ADDs that began and were not followed by a DEL.
        pause: event loop turns that every run takes.
    """

    scripts: dict[str, Script] = field(default_factory=dict)
    calls: list[PluginCall] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    attached: set[tuple[str, str, str]] = field(default_factory=set)
    pause: int = 1

    def find(self, name: str, directories: Sequence[str]) -> str | None:
        """Find a scripted type in the first directory."""
        return f"{directories[0]}/{name}" if name in self.scripts and directories else None

    async def run(
        self, path: str, env: Mapping[str, str], stdin: bytes, deadline: float
    ) -> Completed:
        """Run the script of a type."""
        call = PluginCall(path.rpartition("/")[2], dict(env), json.loads(stdin))
        self.calls.append(call)
        if call.verb == "ADD":
            self.attached.add(call.key)  # a plugin that is cut off may have done anything
        for _ in range(self.pause):
            await asyncio.sleep(0)
        done = await self.scripts[call.kind](call)
        if call.verb == "DEL" and done.code == 0:
            self.attached.discard(call.key)
        self.ended.append(call.name)
        return done

    def names(self, verb: str = "") -> list[str]:
        """Return the names of runs, of one verb or all, in the order they started."""
        return [call.name for call in self.calls if not verb or call.verb == verb]

    def one(self, name: str) -> PluginCall:
        """Return the last run of a name."""
        return next(call for call in reversed(self.calls) if call.name == name)
