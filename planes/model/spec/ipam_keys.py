"""The keys of the IPAM plugins, and which of them a tenant's NAD may have.

Sources: containernetworking/plugins v1.9 (static, host-local, dhcp), whereabouts v0.9. A path names
a file of the node that the daemon, which is root, would open, create or wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planes.model.bounds import MAX_NAD_ADDRESSES, MAX_NAD_RANGES, MAX_NAD_ROUTES
from planes.model.spec.config_key import ConfigKey, PluginKeys, free, keyed, never

HOST_PATH: Final = "it names a file or directory of the node"

ROUTES: Final = ConfigKey(
    "routes",
    members=free("dst", "gw", "mtu", "advmss", "priority", "table", "scope"),
    most=MAX_NAD_ROUTES,
)
DNS: Final = ConfigKey("dns", members=free("nameservers", "domain", "search", "options"))
_SPAN: Final = free("subnet", "rangeStart", "rangeEnd", "gateway")
_ADDRESSES: Final = ConfigKey(
    "addresses", members=free("address", "gateway"), most=MAX_NAD_ADDRESSES
)

IPAMS: Final[Mapping[str, PluginKeys]] = {
    "": PluginKeys(keyed(*free("type"))),  # `"ipam": {}`: a network without addresses
    "static": PluginKeys(keyed(*free("type"), _ADDRESSES, ROUTES, DNS)),
    "host-local": PluginKeys(
        keyed(
            *free("type"),
            *_SPAN,
            ConfigKey("ranges", members=_SPAN, most=MAX_NAD_RANGES),
            ROUTES,
            never("resolvConf", HOST_PATH),
            never("dataDir", HOST_PATH),
        )
    ),
    "dhcp": PluginKeys(
        keyed(
            *free("type", "priority"),
            ConfigKey("request", members=free("option", "skipDefault"), most=MAX_NAD_ROUTES),
            ConfigKey("provide", members=free("option", "value", "fromArg"), most=MAX_NAD_ROUTES),
            never("daemonSocketPath", HOST_PATH),
        )
    ),
    # Which plane it may name is checked with the planes (`decide.wire_check`).
    "plane": PluginKeys(keyed(*free("type", "plane", "candidates"))),
    "whereabouts": PluginKeys(
        keyed(
            *free("type", "range", "range_start", "range_end", "gateway"),
            ConfigKey("exclude", most=MAX_NAD_RANGES),
            ConfigKey(
                "ipRanges",
                members=free("range", "range_start", "range_end", "exclude", "gateway"),
                most=MAX_NAD_RANGES,
            ),
            _ADDRESSES,
            ROUTES,
            DNS,
            *free("node_slice_size", "enable_overlapping_ranges", "log_level"),
            never("network_name", "it names a pool that others may use"),
            never("log_file", HOST_PATH),
            never("configuration_path", HOST_PATH),
            never("kubernetes", "it names credentials of the node"),
            never("sleep_for_race", "it makes every call wait"),
            *(
                never(name, "it sets how the whole cluster waits for its lock")
                for name in (
                    "leader_lease_duration",
                    "leader_renew_deadline",
                    "leader_retry_period",
                )
            ),
        ),
        why="it is run by exec with credentials of the node, on pools that others may use",
    ),
}
"""By type; other types are not known."""
