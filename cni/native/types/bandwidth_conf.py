"""The netconf of `bandwidth`, checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cni.net.qdiscs import BandwidthLimit
from cni.net.subnet_shaping import ShapedSubnets
from planes.model.addresses import IPNetwork, parse_interface
from planes.model.decode import Fields
from planes.model.errors import BadInput, CniCode
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf

_RATES: Final = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
_SHAPED, _UNSHAPED = "shapedSubnets", "unshapedSubnets"
_LEAST_RATE: Final = 8
_MAX_BURST_BYTES: Final = 0xFFFFFFFE
_MOST_SUBNETS: Final = 64
_PREFIX: Final = "bwp"
_LONGEST_NAME: Final = 15
_REMEDY: Final = "correct the bandwidth of the network or of the pod"


@dataclass(frozen=True, slots=True)
class BandwidthConf:
    """What a netconf of `bandwidth` asks for; directions are the pod's.

    Attributes:
        ingress: the limit of what the pod receives, None for none.
        egress: the limit of what it sends.
        subnets: the networks that the limits are about, None for all.
    """

    ingress: BandwidthLimit | None = None
    egress: BandwidthLimit | None = None
    subnets: ShapedSubnets | None = None

    @property
    def is_idle(self) -> bool:
        """Report whether nothing is to be limited."""
        return self.ingress is None and self.egress is None


IDLE: Final = BandwidthConf()


def read_bandwidth_conf(conf: NetConf) -> BandwidthConf:
    """Read a netconf: its own numbers, and without any those of `runtimeConfig`.

    Raises:
        BadInput: numbers that are no bandwidth, or a cniVersion before 0.3.0 (code 1).
    """
    if not at_least(conf.cni_version, "0.3.0"):
        raise BadInput(
            f"cannot run bandwidth with cniVersion {conf.cni_version or '0.1.0'}",
            remedy="use cniVersion 0.3.0 or newer",
            code=CniCode.INCOMPATIBLE_VERSION,
        )
    fields = conf.fields()
    rates = fields
    if not any(fields.has(key) for key in _RATES):
        runtime = fields.child("runtimeConfig")
        given = runtime.child("bandwidth") if runtime is not None else None
        if given is None:
            return IDLE
        rates = given
    ingress = _bucket(rates, "ingressRate", "ingressBurst")
    egress = _bucket(rates, "egressRate", "egressBurst")
    if ingress is None and egress is None:
        return IDLE
    return BandwidthConf(ingress, egress, _subnets(fields) or _subnets(rates))


def _bucket(fields: Fields, rate_key: str, burst_key: str) -> BandwidthLimit | None:
    rate, burst = fields.integer(rate_key), fields.integer(burst_key)
    reason = ""
    if rate < 0 or burst < 0:
        reason = f"{rate_key} and {burst_key} must not be negative"
    elif rate and not burst:
        reason = f"if {rate_key} is set, {burst_key} must also be set"
    elif burst and not rate:
        reason = f"if {burst_key} is set, {rate_key} must also be set"
    elif burst // 8 > _MAX_BURST_BYTES:
        reason = f"{burst_key} cannot be more than 4 GiB"
    elif 0 < rate < _LEAST_RATE:
        reason = f"{rate_key} is less than a byte a second"
    if reason:
        raise BadInput(
            f"cannot limit the bandwidth: {reason}", remedy=_REMEDY, code=CniCode.INTERNAL
        )
    return BandwidthLimit.of(rate, burst) if rate else None


def _subnets(fields: Fields) -> ShapedSubnets | None:
    shaped, unshaped = fields.strings(_SHAPED), fields.strings(_UNSHAPED)
    if shaped and unshaped:
        raise BadInput(
            f"cannot use {_SHAPED} and {_UNSHAPED}: only one of them can be set", remedy=_REMEDY
        )
    texts = shaped or unshaped
    if len(texts) > _MOST_SUBNETS:
        raise BadInput(
            f"cannot limit by {len(texts)} networks: at most {_MOST_SUBNETS}", remedy=_REMEDY
        )
    networks: tuple[IPNetwork, ...] = tuple(
        dict.fromkeys(parse_interface(text).network for text in texts)
    )
    return ShapedSubnets(networks, bool(shaped)) if networks else None


def ifb_names(network: str, container_id: str, ifname: str) -> tuple[str, str]:
    """Return the names of the `ifb` device of an attachment.

    The first one is the reference plugin's. It does not depend on the interface: where another
    interface of the same network and sandbox has it, the second one is used.
    """
    return _name(network + container_id), _name(f"{network}{container_id}/{ifname}")


def _name(text: str) -> str:
    return (_PREFIX + hashlib.sha512(text.encode()).hexdigest())[:_LONGEST_NAME]
