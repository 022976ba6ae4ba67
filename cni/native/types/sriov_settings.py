"""Which settings of a virtual function an attachment writes, and which it gives back.

A setting that is as wanted is not written: drivers refuse some altogether.
"""

from __future__ import annotations

from collections.abc import Callable

from cni.native.types.sriov_conf import SriovConf
from cni.net.vf_settings import VfSettings, VfWriter, read_settings
from planes.model.errors import PlanesError


def changes(writer: VfWriter, before: VfSettings, wanted: SriovConf) -> list[Callable[[], None]]:
    """Return the writes that a netconf needs, in sriov-cni's order."""
    found: list[Callable[[], None]] = []
    vlan = wanted.vlan, wanted.vlan_qos, wanted.vlan_proto
    if vlan[:2] != (before.vlan, before.vlan_qos) or (
        wanted.vlan and wanted.vlan_proto != before.vlan_proto
    ):
        found.append(lambda: writer.set_vlan(*vlan))
    if wanted.mac and wanted.mac != before.mac:
        found.append(lambda: writer.set_mac(wanted.mac))
    rates = wanted.min_tx_rate or 0, wanted.max_tx_rate or 0
    if wanted.has_rates and rates != (before.min_tx_rate, before.max_tx_rate):
        found.append(lambda: writer.set_rates(*rates))
    spoofchk, trust, state = wanted.spoofchk, wanted.trust, wanted.link_state
    if spoofchk is not None and spoofchk != before.spoofchk:
        found.append(lambda: writer.set_spoofchk(spoofchk))
    if trust is not None and trust != before.trust:
        found.append(lambda: writer.set_trust(trust))
    if state is not None and state != before.link_state:
        found.append(lambda: writer.set_link_state(state))
    return found


def changed_keys(wanted: SriovConf) -> list[str]:
    """Return the settings that an attachment may change.

    The VLAN is always one, and the MAC: a trusted function may change it by itself.
    """
    given = {
        "spoofchk": wanted.spoofchk,
        "trust": wanted.trust,
        "link_state": wanted.link_state,
        "max_tx_rate": wanted.max_tx_rate,
        "min_tx_rate": wanted.min_tx_rate,
    }
    return ["mac", "vlan", *(key for key, value in given.items() if value is not None)]


def restore(writer: VfWriter, before: VfSettings, keys: frozenset[str]) -> None:
    """Write the settings of some keys as they were, all that can be written.

    Raises:
        PlanesError: the first that the driver refused.
    """
    now = read_settings(writer.host, writer.physical, writer.number)
    failures: list[PlanesError] = []
    for write in _restoring(writer, now, before, keys):
        try:
            write()
        except PlanesError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _restoring(
    writer: VfWriter, now: VfSettings, before: VfSettings, keys: frozenset[str]
) -> list[Callable[[], None]]:
    found: list[Callable[[], None]] = []
    vlan = before.vlan, before.vlan_qos, before.vlan_proto
    if "vlan" in keys and vlan != (now.vlan, now.vlan_qos, now.vlan_proto):
        found.append(lambda: writer.set_vlan(*vlan))
    if "spoofchk" in keys and before.spoofchk != now.spoofchk:
        found.append(lambda: writer.set_spoofchk(before.spoofchk))
    if "mac" in keys and before.mac != now.mac:
        found.append(lambda: writer.set_mac(before.mac))
    if "trust" in keys and before.trust != now.trust:
        found.append(lambda: writer.set_trust(before.trust))
    rates = before.min_tx_rate, before.max_tx_rate
    if keys & {"min_tx_rate", "max_tx_rate"} and rates != (now.min_tx_rate, now.max_tx_rate):
        found.append(lambda: writer.set_rates(*rates))
    if "link_state" in keys and before.link_state != now.link_state:
        found.append(lambda: writer.set_link_state(before.link_state))
    return found
