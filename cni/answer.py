"""The result a runtime is given: the default network's, or without one the planes' together.

Invariant: indexes of addresses into interfaces stay true through merging.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cni.entry import Entry
from planes.model.wire.result import Result


def answer(entry: Entry, before: Result | None) -> Result:
    """Give the result of an attached entry.

    Args:
        entry: with results.
        before: the prevResult of the call; it comes first.
    """
    for one in entry.attachments:
        if one.is_default and one.result is not None:
            return one.result
    results = (one.result for one in entry.attachments if one.result is not None)
    return merge([*([before] if before is not None else []), *results])


def merge(results: Iterable[Result]) -> Result:
    """Join results in order; the first DNS wins."""
    merged = Result()
    for result in results:
        shift = len(merged.interfaces)
        moved = tuple(
            ip if ip.interface is None else replace(ip, interface=ip.interface + shift)
            for ip in result.ips
        )
        merged = Result(
            interfaces=(*merged.interfaces, *result.interfaces),
            ips=(*merged.ips, *moved),
            routes=(*merged.routes, *result.routes),
            dns=merged.dns or result.dns,
        )
    return merged
