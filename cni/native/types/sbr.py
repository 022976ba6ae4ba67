"""Type `sbr`: packets from an interface's addresses are routed by a table of that interface.

Rules, tables and routes are the reference plugin's; a failed ADD restores them, and DEL succeeds
with the sandbox gone.

Invariant: tables are chosen under a lock on the sandbox, which the reference plugin takes, too.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from cni.native import checks
from cni.native.chained import ChainedType, chained_result
from cni.native.interface import require_netns
from cni.native.steps import KernelStep, StepContext, Steps, Wait
from cni.native.types.sbr_conf import RoutedSource, SbrConf, read_sbr_conf, sources
from cni.net.addresses import get_addresses, read_addresses
from cni.net.channel import Channel
from cni.net.errors import MissingNetns, TooManyListed
from cni.net.links import Link, find_link, get_link, read_links
from cni.net.netlink import NetlinkRequest
from cni.net.policy_routing import (
    LinkRoute,
    SourceRule,
    add_default_route,
    add_rule,
    add_source_hint,
    copy_route,
    delete_route,
    delete_rule,
    read_link_routes,
    read_rules,
    restore_route,
)
from cni.net.rtnetlink import RT_TABLE_MAIN
from cni.net.workers import OpenSandbox
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress
from planes.model.errors import NotFound, PlanesError, Unavailable
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_FIRST_TABLE: Final = 100
_LOCK_STEP_SECONDS: Final = 0.05
_RULES_AT_ONCE: Final = 256  # a send of thousands is larger than the buffer of the socket


@dataclass(frozen=True, slots=True)
class RoutedBySource:
    """What an ADD has made, for its undo.

    Attributes:
        ifname: the interface.
        added: the rules, by source and table.
        before: the routes of the main table that were there.
        owns_tables: whether the tables are its own.
    """

    ifname: str
    added: list[tuple[IPAddress, int]] = field(default_factory=list)
    before: list[LinkRoute] = field(default_factory=list)
    owns_tables: bool = True


@dataclass(frozen=True, slots=True)
class RouteBySource(KernelStep[RoutedBySource | None]):
    """Add rules and tables for the addresses of an interface; None where the lock is taken."""

    ifname: str
    conf: SbrConf
    routed: Sequence[RoutedSource]

    def do(self, context: StepContext) -> RoutedBySource | None:
        """Add them.

        Raises:
            NotFound: there is no such interface.
            PlanesError: the kernel refuses; what was there is restored.
        """
        with _locked(context.sandbox) as is_locked:
            if not is_locked:
                return None
            channel = context.sandbox.channel
            done = RoutedBySource(self.ifname, owns_tables=not self.conf.table)
            try:
                if self.conf.table:
                    self._add_rules(channel, done)
                else:
                    self._move_routes(channel, done)
            except PlanesError:
                _take_back(channel, done)
                raise
            return done

    def _add_rules(self, channel: Channel, done: RoutedBySource) -> None:
        for one in self.routed:
            channel.batch([add_rule(one.address.ip, self.conf.table)])
            done.added.append((one.address.ip, self.conf.table))

    def _move_routes(self, channel: Channel, done: RoutedBySource) -> None:
        link = read_links(channel.batch([get_link(self.ifname)])[0])[0]
        _rules, used = read_rules(channel)
        routes = [r for r in read_link_routes(channel, link.index) if r.table == RT_TABLE_MAIN]
        done.before.extend(routes)
        table = _FIRST_TABLE - 1
        for one in self.routed:
            table = _free_table(used, table + 1)
            done.added.append((one.address.ip, table))
            channel.batch([add_rule(one.address.ip, table)])
            if one.gateway:
                gateway = ip_address(one.gateway)
                channel.batch([add_default_route(link.index, link.name, gateway, table)])
            channel.batch([copy_route(route, table) for route in routes if _belongs(route, one)])
        # Removed at the end: a gateway is reachable through the routes of the main table only.
        channel.batch(self._removals(link, routes))

    def _removals(self, link: Link, routes: Sequence[LinkRoute]) -> list[NetlinkRequest]:
        if not self.conf.adds_hints:
            return [delete_route(route) for route in routes]
        hints = [add_source_hint(link.index, link.name, one.address) for one in self.routed]
        return hints + [delete_route(route) for route in routes if not route.is_on_link]

    def undo(self, context: StepContext, done: RoutedBySource | None) -> None:
        """Remove the rules and tables; restore the routes of the main table."""
        if done is not None:
            _take_back(context.sandbox.channel, done)


def _belongs(route: LinkRoute, one: RoutedSource) -> bool:
    """Report whether a route is of an address' network, or of none."""
    if route.source is None and route.gateway is None:
        return True
    return any(
        end is not None and end in one.address.network for end in (route.source, route.gateway)
    )


def _free_table(used: set[int], first: int) -> int:
    while first in used:
        first += 1
    return first


@contextmanager
def _locked(sandbox: OpenSandbox) -> Iterator[bool]:
    """Lock the sandbox inside the block, without waiting; report whether it could be locked.

    Processes inside could hold the lock for ever, since they have the same file in /proc.
    """
    try:
        fcntl.flock(sandbox.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.flock(sandbox.fd, fcntl.LOCK_UN)


def _take_back(channel: Channel, done: RoutedBySource) -> None:
    rules, _used = read_rules(channel)
    added = set(done.added)
    channel.batch([delete_rule(one) for one in rules if (one.source, one.table) in added])
    links = read_links(channel.batch([find_link(done.ifname)])[0])
    if not links or not done.owns_tables:
        return
    tables = {table for _source, table in done.added}
    kept = {one.payload for one in done.before}
    made = [
        one
        for one in read_link_routes(channel, links[0].index)
        if one.table in tables or (one.table == RT_TABLE_MAIN and one.payload not in kept)
    ]
    # Those on the link first: gateways are reachable through them.
    before = sorted(done.before, key=lambda one: one.gateway is not None)
    channel.batch([delete_route(one) for one in made] + [restore_route(one) for one in before])


@dataclass(frozen=True, slots=True)
class RemoveRules(KernelStep[None]):
    """Remove the rules from addresses of an interface; no rules, or no sandbox, is fine.

    Attributes:
        addresses: of the interface, besides those that it has now.
        table: 0 for rules to any table.
    """

    ifname: str
    addresses: frozenset[IPAddress]
    table: int

    def do(self, context: StepContext) -> None:
        """Remove them.

        Raises:
            PlanesError: the kernel refuses.
        """
        # Of rules beyond all bounds none is removed: they are the pod's own and go with it.
        with suppress(MissingNetns, TooManyListed):
            channel = context.sandbox.channel
            rules, _used = read_rules(channel)
            asked = [one for one in rules if not self.table or one.table == self.table]
            if asked:
                sources = self.addresses | _addresses_of(channel, self.ifname)
                going = [delete_rule(one) for one in asked if one.source in sources]
                for start in range(0, len(going), _RULES_AT_ONCE):
                    channel.batch(going[start : start + _RULES_AT_ONCE])


def _addresses_of(channel: Channel, ifname: str) -> set[IPAddress]:
    links = read_links(channel.batch([find_link(ifname)])[0])
    if not links:
        return set()
    index = links[0].index
    found = read_addresses(channel.dump(get_addresses(index)), index)
    return {one.address.ip for one in found}


@dataclass(frozen=True, slots=True)
class ReadRules(KernelStep[list[SourceRule]]):
    """Read the rules of the sandbox that are about single addresses."""

    def do(self, context: StepContext) -> list[SourceRule]:
        """Return them."""
        return read_rules(context.sandbox.channel)[0]


class Sbr(ChainedType):
    """Plugin type `sbr`.

    Args:
        lock_seconds: the longest wait for the lock on the sandbox.
    """

    def __init__(self, lock_seconds: float = 5.0) -> None:
        self._lock_seconds = lock_seconds

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Add rules and tables for the addresses of the prevResult.

        Raises:
            PlanesError: it cannot be done.
        """
        read = read_sbr_conf(conf)
        previous = chained_result(conf)
        require_netns(call)
        routed = sources(previous, call.ifname, read)
        for _attempt in range(round(self._lock_seconds / _LOCK_STEP_SECONDS)):
            if (yield from RouteBySource(call.ifname, read, routed)) is not None:
                return previous
            yield from Wait(_LOCK_STEP_SECONDS)
        raise Unavailable(
            f"cannot route {call.ifname} by source: something holds the lock on the sandbox for"
            f" {self._lock_seconds:g} s",
            remedy="see which program has locked the file of its network namespace",
        )

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Check that each address of the prevResult has a rule; the reference checks nothing.

        Raises:
            NotFound: one has none.
        """
        read = read_sbr_conf(conf)
        previous = checks.previous_result(conf)
        require_netns(call)
        rules = yield from ReadRules()
        for one in sources(previous, call.ifname, read):
            if not any(
                rule.source == one.address.ip and read.table in {0, rule.table} for rule in rules
            ):
                to = f" to table {read.table}" if read.table else ""
                raise NotFound(f"cannot find the rule from {one.address.ip}{to}")

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return True: rules stay when the interface is gone."""
        return True

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Remove the rules from addresses of the interface.

        Raises:
            PlanesError: the kernel refuses.
        """
        try:
            read = read_sbr_conf(conf)
        except PlanesError:  # its ADD was refused
            return
        addresses: frozenset[IPAddress] = frozenset()
        with suppress(PlanesError):  # without a readable prevResult the interface has them
            previous = conf.prev_result() or Result()
            addresses = frozenset(one.address.ip for one in sources(previous, call.ifname, read))
        yield from RemoveRules(call.ifname, addresses, read.table)
