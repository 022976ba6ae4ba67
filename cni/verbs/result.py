"""The result of an ADD: the default network's, or without one the planes' merged into one.

Invariant: the indexes of addresses into interfaces are correct after merging.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cni.journal.entry import Entry
from planes.model.wire.result import Result


def result_of(entry: Entry, before: Result | None) -> Result:
    """Return the CNI result of an attached entry.

    Args:
        entry: attached, so each attachment has a result.
        before: the prevResult of the call, which comes first.
    """
    for one in entry.attachments:
        if one.is_default and one.result is not None:
            return one.result
    results = (one.result for one in entry.attachments if one.result is not None)
    return merge([*([before] if before is not None else []), *results])


def merge(results: Iterable[Result]) -> Result:
    """Merge results in order; the first DNS wins."""
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
