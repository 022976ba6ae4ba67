"""MANIFEST.txt: what is in a dump, what was left out, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from planes.cli.dump.archive import MemberFacts
from planes.model.lines import one_line

NAME: Final = "MANIFEST.txt"
_LONGEST: Final = 700
_WHAT: Final = {
    "versions.json": "what made this dump, and when",
    "machine.json": "this machine: kernel, operating system",
    "planes.jsonl": "Planes in full; of plugins in them names and keys",
    "nads.jsonl": "NADs: those of planes in full, of others names, keys and types",
    "ipblocks.jsonl": "IPBlocks",
    "ipamclaims.jsonl": "IPAMClaims",
    "namespaces.jsonl": "namespaces that join planes: our labels only",
    "pods.jsonl": "pods with planes or networks: node, phase, network annotations",
    "addresses.jsonl": "who has which address of planes",
    "nodes.jsonl": "nodes: kernel, system, kubelet, container runtime, conditions",
    "netplane/workloads.jsonl": "our Deployment and DaemonSet: images, status",
    "netplane/pods.jsonl": "our pods: states of containers",
    "netplane/leases.jsonl": "Leases: who leads",
    "netplane/webhooks.jsonl": "webhook configurations; CAs by fingerprint and dates",
    "events.jsonl": "events of ours",
    "ip-check.jsonl": "what `netplane ip check` finds",
    "counts.json": "how many there are of what",
}
_NEVER: Final = (
    "Secrets and ConfigMaps; keys, certificates, tokens and passwords, also inside other texts",
    "environment, commands, arguments and volumes of containers",
    "values in network configurations that others wrote; arguments for plugins (cni-args)",
    "labels and annotations of others; pods without planes or networks",
    "logs of pods that are not Netplane's",
)


def manifest_lines(
    title: str, made: str, facts: Iterable[MemberFacts], notes: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """Yield the lines."""
    yield f"A dump of {one_line(title, _LONGEST)}, made {made} by `netplane dump`."
    yield "Each line of a .jsonl file is one object. [redacted] stands for what may be secret."
    yield ""
    yield "What is in it:"
    for one in facts:
        kind = "line" if one.name.startswith("logs/") else "object"
        count = f"{one.lines} {kind}{'' if one.lines == 1 else 's'}"
        text = _WHAT.get(one.name, "the end of a log of ours")
        yield f"  {one.name}: {count}, {one.size} bytes: {text}"
    yield ""
    yield "What was left out, and why:"
    for name, why in sorted(set(notes)) or [("nothing", "all could be read, and there was room")]:
        yield f"  {one_line(name, _LONGEST)}: {one_line(why, _LONGEST)}"
    yield ""
    yield "What is never in a dump:"
    for text in _NEVER:
        yield f"  {text}"
