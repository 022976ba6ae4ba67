"""How the modules of kubernetes_asyncio are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys, threading
from pathlib import Path
from planes.kube.client.kubeconfig import from_kubeconfig

def read():
    barrier.wait()
    servers.append(from_kubeconfig(Path(sys.argv[1])).server)

servers, barrier = [], threading.Barrier(8)
threads = [threading.Thread(target=read) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
assert servers == ["https://127.0.0.1:1"] * 8, servers
assert not [name for name in sys.modules if "asyncio.client.models" in name]
"""


def test_threads_may_read_kubeconfigs_at_once(tmp_path: Path) -> None:
    """The models are not loaded either, as they were where one took away the other's stand-ins."""
    (tmp_path / "config").write_text(
        "{current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}], "
        "users: [{name: u, user: {token: t}}]}"
    )
    command = [sys.executable, "-W", "ignore", "-c", CODE, str(tmp_path / "config")]
    subprocess.run(command, check=True, timeout=60)
