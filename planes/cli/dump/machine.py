"""The dump of a machine of standalone mode: manifests, results, addresses."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import AsyncGenerator

from planes.cli.dump.collector import Collector
from planes.cli.dump.objects import ReadObjects, counted, versions
from planes.cli.dump.shapes import members
from planes.cli.reading.address_use import plane_uses
from planes.cli.reading.place import Place
from planes.model.errors import JsonObject


async def dump_machine(place: Place, collector: Collector) -> str:
    """Read a machine into an archive; return what it is a dump of."""
    read = ReadObjects(place.api, collector.counts)
    for name, objects in (
        ("versions.json", versions(place.clock.now())),
        ("machine.json", machine()),
        ("planes.jsonl", read.planes()),
        ("nads.jsonl", read.nads()),
        ("namespaces.jsonl", read.namespaces()),
        ("pods.jsonl", read.pods()),
        ("addresses.jsonl", addresses(place, collector.counts)),
        ("events.jsonl", read.events()),
        ("counts.json", counted(collector.counts)),
    ):
        await collector.add(name, objects)
    collector.note("logs", "the daemon's log is not in files: journalctl -u netplane-cni has it")
    collector.note("address files", "netplane-cni check-addresses compares them on this machine")
    return f"the machine with the manifests in {place.title}"


async def machine() -> AsyncGenerator[JsonObject, None]:
    """Yield what this machine is and runs."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:  # neither of its files is there
        release = {}
    yield {
        "kernelVersion": platform.release(),
        "architecture": platform.machine(),
        "os": members(release, "PRETTY_NAME", "ID", "VERSION_ID"),
    }


async def addresses(place: Place, counts: Counter[str]) -> AsyncGenerator[JsonObject, None]:
    """Yield who has which address of planes."""
    for name, use in (await plane_uses(place)).items():
        counts[f"addresses of plane {name}"] = len(use.uses)
        counts[f"addresses of plane {name} that rest"] = len(use.cooling)
        for address in sorted(use.uses, key=lambda each: (each.version, int(each))):
            for one in use.uses[address]:
                found = {"plane": name, "address": str(address), "proof": str(one.proof)}
                yield {**found, **members({"pod": one.pod, "uid": one.uid}, "pod", "uid")}
