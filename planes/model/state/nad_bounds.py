"""Bounds of NADs: a configuration that is out of bounds is not kept.

A refused NAD is kept by name, with its `fault` instead of its configuration, so that a pod that
asks for it is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from planes.model.bounds import (
    MAX_NAD_BYTES_OF_NAMESPACE,
    MAX_NAD_CONFIG_BYTES,
    MAX_NAD_RANGES,
    MAX_NAD_ROUTES,
    MAX_NAD_VALUES,
    MAX_NAD_VALUES_OF_NAMESPACE,
    MAX_NADS_OF_NAMESPACE,
)
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad

_MAX_RESOURCE_NAME = 317
"""A DNS name, a slash and a label (Kubernetes' qualified names)."""


class Weight(NamedTuple):
    """The size of NADs: how many, bytes of configuration, commas and brackets in them."""

    nads: int = 0
    size: int = 0
    values: int = 0

    def __add__(self, other: object) -> Weight:
        """Add part by part."""
        if not isinstance(other, Weight):
            return NotImplemented
        return Weight(self.nads + other.nads, self.size + other.size, self.values + other.values)

    @property
    def is_too_much(self) -> bool:
        """Report whether it is more than one namespace may have."""
        return (
            self.nads > MAX_NADS_OF_NAMESPACE
            or self.size > MAX_NAD_BYTES_OF_NAMESPACE
            or self.values > MAX_NAD_VALUES_OF_NAMESPACE
        )


def weight_of(nad: Nad) -> Weight:
    """Return the size of a NAD as it is kept."""
    return Weight(1, _size(nad.config), _values(nad.config))


def bounded(nad: Nad) -> Nad:
    """Return a NAD as it is kept: without its configuration where that is out of bounds."""
    if nad.plane is not None:  # rendered from a plane: an administrator's
        return nad
    kept = {
        key: text
        for key, text in nad.annotations.items()
        if key == RESOURCE_NAME_ANNOTATION and len(text) <= _MAX_RESOURCE_NAME
    }
    if kept != nad.annotations:
        nad = replace(nad, annotations=kept)
    if nad.fault:
        return nad
    size, values = _size(nad.config), _values(nad.config)
    if size > MAX_NAD_CONFIG_BYTES:
        return refused(
            nad,
            f"its configuration has {size} bytes, more than {MAX_NAD_CONFIG_BYTES >> 10} KiB",
            "shorten spec.config",
        )
    if values > MAX_NAD_VALUES:
        return refused(
            nad,
            f"its configuration has {values} commas and brackets, more than {MAX_NAD_VALUES}",
            "shorten spec.config",
        )
    return nad


def too_large(namespace: str, name: str, size: int, created: str = "") -> Nad:
    """Return the NAD of an object that was too large to be read; `size` in bytes."""
    return refused(
        Nad(namespace, name, created=created),
        f"the object has {size} bytes",
        f"shorten spec.config to at most {MAX_NAD_CONFIG_BYTES >> 10} KiB, and its metadata",
    )


def over_share(nad: Nad) -> Nad:
    """Return a NAD beyond the limits of its namespace, without its configuration."""
    return refused(
        nad,
        f"namespace {nad.namespace} has more than {MAX_NADS_OF_NAMESPACE} NADs, "
        f"{MAX_NAD_BYTES_OF_NAMESPACE >> 10} KiB of them or {MAX_NAD_VALUES_OF_NAMESPACE} values "
        "in them, and those that were created first count",
        "remove NADs of the namespace that nobody uses, then create this one again",
    )


def refused(nad: Nad, cause: str, remedy: str) -> Nad:
    """Return a NAD that cannot be used, without its configuration."""
    message = f"cannot use the NAD {nad.ref}: {cause}"
    return replace(nad, config="", annotations={}, fault=message, remedy=remedy)


def ipam_fault(ipam: Mapping[str, Any]) -> str:
    """Return what of an IPAM's configuration is out of bounds, "" where nothing is."""
    routes = ipam.get("routes")
    if isinstance(routes, list) and len(routes) > MAX_NAD_ROUTES:
        return f"its IPAM has {len(routes)} routes, more than {MAX_NAD_ROUTES}"
    sets = ipam.get("ranges")
    addresses = ipam.get("addresses")
    count = sum(
        len(each)
        for each in (*(sets if isinstance(sets, list) else ()), addresses)
        if isinstance(each, list)
    )
    if count > MAX_NAD_RANGES:
        return f"its IPAM has {count} ranges and addresses, more than {MAX_NAD_RANGES}"
    return ""


def _size(config: str) -> int:
    return len(config) if config.isascii() else len(config.encode(errors="surrogatepass"))


def _values(config: str) -> int:
    return config.count(",") + config.count("{") + config.count("[")
