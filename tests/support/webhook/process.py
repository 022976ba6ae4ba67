"""The real webhook as a process, over a node's manifests, asked as an API server asks."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from planes.cli.admission import Admission
from planes.model.errors import PlanesError

ROOT = Path(__file__).parents[3]
READY_SECONDS = 20.0


@contextmanager
def webhook(manifests: Path, home: Path, state: Path) -> Iterator[Admission]:
    """Make a webhook for a while; it writes its certificates and log to `home`."""
    certificates = home / "certs"
    certificates.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        *(sys.executable, "-m", "webhook", "--standalone", str(manifests), "--listen", listen),
        *("--cert-dir", str(certificates), "--state-dir", str(state)),
    ]
    with (home / "webhook.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield _ready(process, f"https://{listen}", certificates / "ca.crt")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def _ready(process: subprocess.Popen[bytes], url: str, ca: Path) -> Admission:
    """Wait until it admits a pod that needs nothing."""
    probe = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "plain"},
        "spec": {"containers": []},
    }
    deadline = time.monotonic() + READY_SECONDS
    while True:
        assert process.poll() is None, "the webhook ended"
        try:
            admission = Admission(url, str(ca))
            admission.admit(probe)
        except PlanesError:
            assert time.monotonic() < deadline, "the webhook did not become ready"
            time.sleep(0.05)
        else:
            return admission
