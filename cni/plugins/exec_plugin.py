"""Run plugin binaries with libcni's semantics.

Invariant: a binary gets exactly the netconf, the CNI variables and the daemon's environment. Its
error code is kept, and its message is wrapped as libcni wraps it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

from cni.host.exec import Completed, Exec
from cni.plugins.known_causes import cause_of
from cni.plugins.plugin import Call
from cni.plugins.plugin_turns import PluginTurns
from cni.plugins.unable import PluginFailed
from planes.model.decode import Fields, loads
from planes.model.errors import Internal, NotFound, PlanesError
from planes.model.wire.cniversion import Verb, at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result, parse_result

_log = logging.getLogger(__name__)

_LONGEST: Final = 4096  # bytes of a plugin's own text, which goes into responses, logs and events

# GC runs the plugins of all networks: one that hangs must not delay the container runtime for long.
GC_SECONDS: Final = 10.0

_WRAPPED: Final = {Verb.ADD: "add", Verb.DEL: "delete"}


class ExecPlugin:
    """One plugin binary (libcni `invoke`).

    Args:
        system: finds and runs binaries.
        kind: the plugin's type; its binary is looked up at each call, in the call's CNI_PATH.
        deadline: seconds a call may take.
        turns: limits the binaries that run at once; None for no limit.
    """

    def __init__(
        self, system: Exec, kind: str, deadline: float, turns: PluginTurns | None = None
    ) -> None:
        self._system = system
        self._kind = kind
        self._deadline = deadline
        self._turns = turns

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Run ADD; return the plugin's result.

        Raises:
            Internal: the plugin failed (with its own code), or printed no result.
        """
        output = await self._invoke(Verb.ADD, call, conf)
        if not output.strip():
            raise Internal(
                f"{self._failed(Verb.ADD, conf)}it printed no result",
                remedy="see whether the file is a CNI plugin: ADD prints a result",
            )
        if output.strip() == b"null":
            output = b"{}"
        return parse_result(output, default_version=conf.cni_version)

    async def check(self, call: Call, conf: NetConf) -> None:
        """Run CHECK; raise the plugin's error."""
        await self._invoke(Verb.CHECK, call, conf)

    async def delete(self, call: Call, conf: NetConf) -> None:
        """Run DEL; raise the plugin's error."""
        await self._invoke(Verb.DEL, call, conf)

    async def status(self, call: Call, conf: NetConf) -> None:
        """Run STATUS (since 1.1.0); raise the plugin's error."""
        if at_least(conf.cni_version, "1.1.0"):
            await self._invoke(Verb.STATUS, call, conf)

    async def collect(self, call: Call, conf: NetConf) -> None:
        """Run GC (since 1.1.0); raise the plugin's error."""
        if at_least(conf.cni_version, "1.1.0"):
            await self._invoke(Verb.GC, call, conf)

    async def _invoke(self, verb: Verb, call: Call, conf: NetConf) -> bytes:
        path = require(self._system, self._kind, call.cni_path)
        turn = nullcontext() if self._turns is None else self._turns.turn(verb, call, self._kind)
        deadline = min(self._deadline, GC_SECONDS) if verb is Verb.GC else self._deadline
        async with turn:
            done = await self._system.run(path, environment(verb, call), conf.encode(), deadline)
        if done.code == 0:
            if done.stderr:
                _log.info("plugin said", extra={"type": self._kind, "text": _text(done.stderr)})
            return done.stdout
        raise self._error(verb, conf, done)

    def _error(self, verb: Verb, conf: NetConf, done: Completed) -> PluginFailed:
        prefix = self._failed(verb, conf)
        if not done.stdout.strip():
            said = _text(done.stderr)
            ended = f"exit status {done.code}" if done.code > 0 else f"signal {-done.code}"
            cause = (
                f'netplugin failed: "{said}": {ended}'
                if said
                else (f"netplugin failed with no error message: {ended}")
            )
            return PluginFailed(f"{prefix}{cause}")
        try:
            fields = Fields(loads(done.stdout, "the plugin's error"), "the plugin's error")
            code, message = fields.integer("code"), fields.string("msg")
            details = fields.string("details")[:_LONGEST]
            message = message[:_LONGEST]
        except (PlanesError, AttributeError):
            return PluginFailed(
                f"{prefix}netplugin failed but its diagnostic message cannot be parsed: "
                f"{_text(done.stdout)}"
            )
        known = cause_of(self._kind, conf, message)
        if known is None:
            return PluginFailed(f"{prefix}{message}", remedy=details, code=code or None)
        remedy = f"{details}; {known.remedy}" if details else known.remedy
        return PluginFailed(f"{prefix}{message} ({known.text})", remedy=remedy, code=code or None)

    def _failed(self, verb: Verb, conf: NetConf) -> str:
        """Return the prefix that libcni puts before errors of ADD and DEL; "" for other verbs."""
        if verb not in _WRAPPED:
            return ""
        name = f' name="{conf.name}"' if conf.name else ""
        return f'plugin type="{self._kind}"{name} failed ({_WRAPPED[verb]}): '


def require(system: Exec, kind: str, directories: Sequence[str]) -> str:
    """Return the path of a plugin binary.

    Raises:
        NotFound: there is none of that name in the directories.
    """
    path = system.find(kind, directories)
    if path is None:
        raise NotFound(
            f'cannot find plugin "{kind}" in path [{", ".join(directories)}]',
            remedy="install it in one of these directories of the node, or correct the type",
        )
    return path


def environment(verb: Verb, call: Call) -> dict[str, str]:
    """Return the CNI variables of a call (spec 1.1.0 §2, "Parameters")."""
    return {
        "CNI_COMMAND": verb.value,
        "CNI_CONTAINERID": call.container_id,
        "CNI_NETNS": call.netns,
        "CNI_IFNAME": call.ifname,
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in call.cni_args),
        "CNI_PATH": ":".join(call.cni_path),
    }


def _text(data: bytes) -> str:
    return data[:_LONGEST].decode(errors="replace").strip()
