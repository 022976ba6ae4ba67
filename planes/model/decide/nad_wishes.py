"""What pods of tenants may ask of networks that are no plane's, where NADs are guarded.

Multus (seen with 4.3.0) passes such requests to plugins unchanged. Three of them affect the node:
ports of the node, queues in its memory, and `args.cni`, from which tuning reads what its own keys
are judged for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from planes.model.bounds import MAX_UNKNOWN
from planes.model.decide.drafts import Draft
from planes.model.decide.findings import Findings
from planes.model.errors import Finding
from planes.model.objects import Pod
from planes.model.spec.config_key import ConfigKey, free, keyed
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plugin_keys import PLUGINS, TUNING_KEYS
from planes.model.state.catalog import Catalog
from planes.model.state.nad_keys import NadFindings, judge_keys, spelled

_ARGS: Final = keyed(*free("ips", "labels"), *TUNING_KEYS, ConfigKey("mac"))
_REMEDY: Final = "leave it out, or have an administrator allow it"


def check_guarded_wishes(draft: Draft, pod: Pod, catalog: Catalog, findings: Findings) -> None:
    """Refuse what a tenant's pod may not ask of a network that is no plane's."""
    policy = catalog.nad_checks.policy
    selection = draft.selection
    if not policy.restricts(pod.namespace):
        return
    if selection.port_mappings:
        findings.errors.extend(islice(_ports(draft, policy), MAX_UNKNOWN))
    for name, asked, known in (
        ("cni-args", selection.cni_args, _ARGS),
        ("bandwidth", selection.bandwidth, PLUGINS["bandwidth"].keys),
    ):
        if asked:
            found = NadFindings()
            judge_keys(asked, f"{draft.path}.{name}", name, (known,), found)
            # Unknown keys are read by no plugin that a tenant's NAD may name.
            findings.errors.extend([*found.faults, *found.breaches])


def _ports(draft: Draft, policy: NadPolicy) -> Iterator[Finding]:
    for index, mapping in enumerate(draft.selection.port_mappings):
        for _, port in spelled(mapping, "hostPort"):
            if not isinstance(port, int) or not policy.permits_port(port):
                path = f"{draft.path}.portMappings[{index}].hostPort"
                message = "cannot open this port of the node: it is none of NETPLANE_NAD_HOST_PORTS"
                yield Finding(path, message, _REMEDY, 403)
