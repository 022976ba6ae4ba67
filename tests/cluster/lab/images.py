"""Small OCI images as tar files, made from programs of this machine: no registry, no engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAUSE = "docker.io/lab/pause:1"
BUSYBOX = "docker.io/library/busybox:1"
"""The name the examples use; a real busybox serves them as well."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_TOOLS = ("sh", "sleep", "ip", "ping", "arping", "nc", "wget", "httpd", "cat", "ls", "grep", "true")
_PAUSE_SOURCE = """#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void stop(int signal) { (void)signal; exit(0); }
int main(void) {
  signal(SIGTERM, stop); signal(SIGINT, stop); signal(SIGCHLD, SIG_IGN);
  for (;;) pause();
}
"""


def write_pause(path: Path) -> None:
    """Write the image of a pod's first process."""
    program = path.with_suffix(".bin")
    subprocess.run(
        ["gcc", "-static", "-Os", "-x", "c", "-", "-o", str(program)],
        input=_PAUSE_SOURCE.encode(),
        check=True,
    )
    write(path, PAUSE, ["/pause"], {"pause": program})


def write_busybox(path: Path, busybox: str) -> None:
    """Write an image with the usual small tools; it sleeps."""
    files = {f"bin/{tool}": Path(busybox) for tool in ("busybox", *_TOOLS)}
    write(path, BUSYBOX, ["/bin/sleep", "1000000"], files)


def write(path: Path, name: str, entrypoint: Sequence[str], files: Mapping[str, Path]) -> None:
    """Write an image of {path in it: program of this machine}; static ones, there is no library."""
    blobs: dict[str, bytes] = {}

    def keep(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    layer = keep(_layer(files), "layer.v1.tar")
    config = {
        "architecture": _ARCHITECTURES[os.uname().machine],
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": keep(json.dumps(config).encode(), "config.v1+json"),
        "layers": [layer],
    }
    entry = keep(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": name}
    blobs["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    with tarfile.open(path, "w") as tar:
        for target, data in blobs.items():
            info = tarfile.TarInfo(target)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _layer(files: Mapping[str, Path]) -> bytes:
    """Return a tar of {path in the image: file here}; the same program twice is a hard link."""
    out = io.BytesIO()
    first: dict[Path, str] = {}
    with tarfile.open(fileobj=out, mode="w") as tar:
        for target, source in files.items():
            info = tarfile.TarInfo(target)
            info.mode = 0o755
            if source in first:
                info.type, info.linkname = tarfile.LNKTYPE, first[source]
                tar.addfile(info)
                continue
            first[source] = target
            data = source.read_bytes()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
