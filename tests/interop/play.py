"""One side of a differential test at work on a node of its own, with files of its own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from tests.interop.difference import difference
from tests.interop.inventory.trial import CONTAINER, IFNAME, JsonObject, Trial
from tests.interop.reference import bin_dir
from tests.support.node.netns import Node, normalised, run
from tests.support.node.plugins import Ours, PluginError, Reference, Side, ours
from tests.support.node.sight import files, seen

_SETTLES = 5.0
"""Seconds in which carrier and addresses are ready, each a kernel timer of 1 to 2 s."""


@dataclass(frozen=True)
class Outcome:
    """What an ADD ended with: a result, or the code and text of an error."""

    result: JsonObject | None
    code: int = 0
    text: str = ""


class Play:
    """A scenario on a node, by one side; the netconfs before the last are the reference's."""

    def __init__(self, trial: Trial, version: str, node: Node, side: Side, files_of: Path) -> None:
        self._trial = trial
        self._version = version
        self._node = node
        self.side = side
        self._before = Reference(node.host, bin_dir())
        self._directory = files_of
        self._raw: JsonObject | None = None

    @property
    def call(self) -> Call:
        """The call, the same for each netconf of the chain."""
        return Call(CONTAINER, self._node.sandbox.path, IFNAME, self._trial.cni_args)

    @property
    def conf(self) -> JsonObject:
        """The netconf that is compared, as it is told to every verb but ADD."""
        return self._told(self._netconfs[-1], self._raw)

    @property
    def _netconfs(self) -> list[JsonObject]:
        return self._trial.netconfs(self._version, str(self._directory))

    def _told(self, conf: JsonObject, result: JsonObject | None) -> JsonObject:
        """Return a netconf with the result of the chain; the first versions have none."""
        has_result = result is not None and self._version not in {"0.1.0", "0.2.0"}
        return {**conf, "prevResult": result} if has_result else conf

    def prepare(self) -> None:
        """Make what the scenario needs."""
        spaces = {"host": self._node.host, "pod": self._node.sandbox, "far": self._node.far}
        for line in self._trial.prepare:
            place, *words = line.split()
            named = {"POD": self._node.sandbox.name, "FAR": self._node.far.name}
            run("ip", "netns", "exec", spaces[place].name, *(named.get(w, w) for w in words))

    async def add(self) -> Outcome:
        """Attach: the netconfs before the last, then the last."""
        *before, last = self._netconfs
        result: JsonObject | None = None
        for conf in before:
            told = {**conf, "prevResult": result} if result else conf
            result = json.loads(await self._before.add(self.call, told))
        told = {**last, "prevResult": result} if result else last
        self._raw = result
        try:
            self._raw = json.loads(await self.side.add(self.call, told))
        except PluginError as error:
            return Outcome(None, error.code, str(error))
        except PlanesError as error:
            return Outcome(None, error.cni_code, str(error))
        return Outcome(self._raw)

    def comparable(self, outcome: Outcome) -> Any:
        """Return a result without what is random; the order of members differs by release."""
        text = json.dumps(outcome.result).replace(self._node.sandbox.path, "NETNS")
        found = json.loads(normalised(text))
        if not found.get("dns"):  # left out by 1.0.0 and later, {} before
            found.pop("dns", None)
        return found

    async def check(self, side: Side | None = None) -> None:
        """Check the attachment, by this side or another."""
        await (side or self.side).check(self.call, self.conf)

    async def delete(self, side: Side | None = None) -> None:
        """Detach what is compared, by this side or another."""
        await (side or self.side).delete(self.call, self.conf)

    async def delete_before(self) -> None:
        """Detach the netconfs before the last, last to first."""
        for conf in reversed(self._netconfs[:-1]):
            await self._before.delete(self.call, self._told(conf, self._raw))

    def seen(self) -> set[str]:
        """Return everything that either side may leave."""
        with_vlans = "vlan-filtering" in self._trial.kinds
        lines = {f"file: {normalised(line)}" for line in files(self._directory)}
        for name, space in (("host", self._node.host), ("pod", self._node.sandbox)):
            with_rules = self._trial.has_rules
            found = seen(space, with_rules=with_rules, with_vlans=with_vlans)
            lines |= {f"{name}: {line}" for line in found}
        return {line.replace(self._node.sandbox.path, "NETNS") for line in lines}


async def settle(one: Play, other: Play) -> str:
    """Return the lines that differ, "" for none.

    Carrier and duplicate address detection have their moment, and one look more where a machine is
    so slow that a look takes longer.
    """
    until = time.monotonic() + _SETTLES
    is_last = False
    while True:
        found = difference(one.seen(), other.seen())
        if not found or is_last:
            return found
        await asyncio.sleep(0.1)
        is_last = time.monotonic() > until


@contextmanager
def native_side(trial: Trial, version: str, node: Node) -> Iterator[Ours]:
    """Make our side on a node; skip the test where the type, or the netconf, is executed."""
    kernel = Kernel(node.host.path)
    try:
        side = ours(kernel)
        plugin = side.find(trial.type)
        if plugin is None:
            pytest.skip(f"{trial.type} is not native")
        conf = trial.netconfs(version, "/")[-1]
        if reason := plugin.unsupported(NetConf(conf)):
            pytest.skip(f"{trial.type} is executed for this netconf: {reason}")
        yield side
    finally:
        kernel.close()
