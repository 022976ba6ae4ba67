"""Check a NAD's configuration key by key: faults, breaches of the guarded table, hints.

The configuration is read as by libcni, within bounds: one that is too large is not parsed. Any text
gives findings, never an exception. Texts name keys, never values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planes.model.bounds import MAX_NAD_PLUGINS
from planes.model.decode import Fields, loads_object
from planes.model.errors import BadInput, Finding, JsonObject, PlanesError
from planes.model.lines import printable, shortened
from planes.model.names import check_ifname
from planes.model.near_names import did_you_mean
from planes.model.objects import Nad
from planes.model.spec.config_key import PluginKeys
from planes.model.spec.ipam_keys import IPAMS
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plugin_keys import (
    CAPABILITIES,
    GENERAL,
    LIST_KEYS,
    PLUGINS,
    PORT_CAPABILITY,
)
from planes.model.state.nad_bounds import bounded
from planes.model.state.nad_keys import (
    NadFindings,
    breach,
    has_repeated_keys,
    judge_keys,
    plain,
    spelled,
)
from planes.model.wire.netconf import parse_conflist

CONFIG: Final = "spec.config"
_BESIDES: Final = frozenset({"ipam", "capabilities"})
_ADMINISTRATOR: Final = (
    "have an administrator write the NAD, or allow the type with NETPLANE_NAD_TYPES"
)
_VLANS: Final = 4096
_LONGEST_TEXT: Final = 240


def judge_nad(nad: Nad, policy: NadPolicy, user: str = "") -> NadFindings:
    """Check a hand-written NAD by itself; `decide.wire_review` checks it with the planes.

    Args:
        nad: the NAD.
        policy: which plugins, keys and interfaces it may have.
        user: the namespace whose interfaces it may use, "" for its own.
    """
    found = NadFindings()
    policy = policy.of(user or nad.namespace)
    kept = bounded(nad)
    if kept.fault:
        found.faults.append(Finding(CONFIG, kept.fault, kept.remedy))
        return found
    if not nad.config.strip():
        found.breaches.append(breach(CONFIG, "leave it empty", "it names a file of the node"))
        return found
    what = f"NAD {nad.ref}"
    try:
        obj = loads_object(nad.config, what)
        conflist = parse_conflist(obj, default_name=nad.name, what=what)
        is_single = bool(Fields(obj, what).string("type"))
    except PlanesError as error:
        found.faults.append(Finding(CONFIG, _printable(error.message), error.remedy))
        return found
    if len(conflist.plugins) > MAX_NAD_PLUGINS:
        message = f"cannot run {len(conflist.plugins)} plugins: {MAX_NAD_PLUGINS} are the most"
        found.faults.append(Finding(f"{CONFIG}.plugins", message, "write several networks"))
        return found
    if not is_single:
        judge_keys(obj, CONFIG, "a list of plugins", (LIST_KEYS,), found)
    for index, plugin in enumerate(conflist.plugins):
        path = CONFIG if is_single else f"{CONFIG}.plugins[{index}]"
        _judge_plugin(plugin.raw, plugin.type, path, policy, found)
    # Last, as it parses the text once more, which is not needed where there are findings enough.
    if not found.faults and not found.is_full and has_repeated_keys(nad.config):
        message = "cannot tell what is meant: an object of it has a key twice"
        found.breaches.append(Finding(CONFIG, message, "write each key once"))
    return found


def _printable(text: str) -> str:
    """Return an error as one line: it may quote a member of the configuration."""
    return printable(shortened(text, _LONGEST_TEXT))


def _judge_plugin(
    raw: JsonObject, kind: str, path: str, policy: NadPolicy, found: NadFindings
) -> None:
    known = PLUGINS.get(kind)
    _judge_type(kind, PLUGINS, path, policy, found)
    if known is not None:
        judge_keys(raw, path, kind, (known.keys, GENERAL), found, besides=_BESIDES)
        if known.parent_key:
            _judge_parent(raw, known, path, policy, found)
    for _, value in spelled(raw, "capabilities"):
        _judge_capabilities(value, f"{path}.capabilities", policy, found)
    for _, value in spelled(raw, "ipam"):
        if isinstance(value, dict):
            _judge_ipam(value, f"{path}.ipam", policy, found)
        elif value is not None:
            message = "cannot read it: it must be an object"
            found.unknown.append(Finding(f"{path}.ipam", message, 'write {"type": …}'))


def _judge_type(
    kind: str,
    types: Mapping[str, PluginKeys],
    path: str,
    policy: NadPolicy,
    found: NadFindings,
) -> None:
    known = types.get(kind)
    if kind in policy.types or (known is not None and not known.why):
        return
    if known is not None:
        why = known.why
    elif near := found.near(kind, types):
        message = f"cannot use type {plain(kind)}: it is none of the plugins that are known"
        found.unknown.append(Finding(f"{path}.type", message, did_you_mean(near), 403))
        return
    else:
        why = "it is a binary that nobody here knows"
    message = f"cannot use type {plain(kind)} in this namespace: {why}"
    found.breaches.append(Finding(f"{path}.type", message, _ADMINISTRATOR, 403))


def _judge_ipam(ipam: JsonObject, path: str, policy: NadPolicy, found: NadFindings) -> None:
    kinds = [value for _, value in spelled(ipam, "type") if value is not None] or [""]
    for kind in kinds:
        if not isinstance(kind, str):
            message = "cannot read it: it must be a string"
            found.faults.append(Finding(f"{path}.type", message, "name an IPAM plugin"))
            continue
        known = IPAMS.get(kind)
        _judge_type(kind, IPAMS, path, policy, found)
        if known is not None:
            owner = kind or "a network without addresses"
            judge_keys(ipam, path, owner, (known.keys,), found)


def _judge_capabilities(value: Any, path: str, policy: NadPolicy, found: NadFindings) -> None:
    if not isinstance(value, dict):
        return
    judge_keys(
        value, path, "the runtime", (CAPABILITIES,), found, besides=frozenset({"portmappings"})
    )
    if policy.host_ports:
        return
    for _, is_declared in spelled(value, PORT_CAPABILITY):
        if is_declared is not False and is_declared is not None:
            why = "pods would open ports of the node, and NETPLANE_NAD_HOST_PORTS allows none"
            place = f"{path}.{PORT_CAPABILITY}"
            found.breaches.append(breach(place, "declare it", why))


def _judge_parent(
    raw: JsonObject, known: PluginKeys, path: str, policy: NadPolicy, found: NadFindings
) -> None:
    """Check the host interface that a plugin attaches to, with the VLAN it uses there."""
    place = f"{path}.{known.parent_key}"
    written = [value for _, value in spelled(raw, known.parent_key) if value is not None]
    names = [name for name in written if isinstance(name, str)]
    if len(names) < len(written):
        message = "cannot read it: it must be a string"
        found.faults.append(Finding(place, message, "name an interface of the node"))
        return
    if not any(names):
        why = f"it stands on {known.default_parent} then"
        found.breaches.append(breach(place, "leave it out", why))
    tags = list(_tags(raw, known.vlan_key)) or [""]
    for name in filter(None, names):
        if fault := interface_fault(name):
            found.faults.append(Finding(place, fault, "name an interface of the node"))
        elif not all(policy.permits_interface(f"{name}{tag}") for tag in tags):
            why = "tenants' NADs may stand on those of NETPLANE_NAD_INTERFACES only"
            found.breaches.append(breach(place, "stand on this interface", why))


def interface_fault(name: str) -> str:
    """Return why a text cannot name an interface of the node, "" where it can.

    The kernel replaces `%d` by a number: each ADD would create another interface.
    """
    if "%" in name:
        return "cannot use the name: the kernel takes % for a pattern"
    try:
        check_ifname(name)
    except BadInput:
        return "cannot use the name: it is none of an interface"
    return ""


def _tags(raw: JsonObject, key: str) -> Iterator[str]:
    """Yield the VLANs in use as suffixes of an interface (`.100`); an invalid one is `.?`."""
    for _, value in spelled(raw, key) if key else ():
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _VLANS:
            yield f".{value}" if value else ""
        elif value is not None:
            yield ".?"
