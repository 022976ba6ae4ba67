"""containerd without Kubernetes: containers of `ctr run --cni` get planes, as documented."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.node.netns import machine, why_no_link_kind
from tests.support.node.shim import static_shim

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "standalone.md").read_text()
_CONF_DIR = Path("/etc/cni/net.d")
# A machine with nothing on it but a daemon and a containerd. ctr reads /etc/cni/net.d and nothing
# else, so a directory of ours is there. Its image is a root directory, and as cgroups are not apart
# from the machine's, its containers have none.
_MACHINE = """\
set -e
mount --make-rprivate /
cp {shim} {busybox} {home}
for place in /run /var/lib /opt; do mount -t tmpfs none $place; done
mkdir -p /run/conf /run/netplane /run/netns /opt/cni/bin /etc/netplane/manifests
for place in bin proc sys dev run tmp etc; do mkdir -p /run/rootfs/$place; done
cp {home}/busybox /run/rootfs/bin/; cp {home}/{shim_name} /opt/cni/bin/netplane
for name in ip sleep; do ln -s busybox /run/rootfs/bin/$name; done
mount --bind /run/conf /etc/cni/net.d
export PATH="{programs}:$PATH" NETPLANE_MANIFESTS=/etc/netplane/manifests
ip link set lo up
ip link add eth1 type veth peer name far
ip link set eth1 up
ip link set far up
trap 'kill $(jobs -p); wait' EXIT
cat >/run/containerd.toml <<'EOF'
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
EOF
containerd -c /run/containerd.toml >/run/containerd.log 2>&1 &
timeout 30 sh -c 'until ctr version >/dev/null 2>&1; do sleep 0.1; done' ||
  cat /run/containerd.log >&2
ctr() {{
  if [ "$1" != run ]; then command ctr "$@"; return; fi
  shift
  set -- run --cgroup "" --env PATH=/bin --rootfs "$@"
  for word; do
    shift
    if [ "$word" = docker.io/library/busybox:latest ]; then set -- "$@" /run/rootfs
    else set -- "$@" "$word"; fi
  done
  command ctr "$@" </dev/null  # it would read the commands that follow
}}
"""


@pytest.fixture
def head(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The commands that make the machine; skipped with the reason where they cannot."""
    if reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    for program in ("containerd", "ctr", "runc", "containerd-shim-runc-v2", "busybox"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if not _CONF_DIR.is_dir():
        pytest.skip(f"there is no {_CONF_DIR} to mount a directory at")
    busybox = Path(shutil.which("busybox") or "")
    if b"/ld-linux" in busybox.read_bytes()[:4096]:
        pytest.skip("no static busybox is installed")
    shim = static_shim(tmp_path_factory)
    return _MACHINE.format(
        shim=shim,
        shim_name=shim.name,
        busybox=busybox,
        home=tmp_path,
        programs=Path(sys.executable).parent,
    )


def test_the_documented_commands_work(head: str) -> None:
    before = machine()
    blocks = (
        _blocks("The manifests", "sh"),
        _blocks("Start the daemon", "sh"),
        _blocks("nerdctl and ctr", "shell"),
    )
    # What the document writes to /etc/netplane goes elsewhere: the machine's is not touched.
    script = (head + "\n".join(blocks)).replace("/etc/netplane", "/run/etc-netplane")
    apart = ("unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child")
    done = subprocess.run(
        [*apart, "bash", "-s"],
        input=script,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"inet 192\.168\.1\d\.\d+/16 .* eth0", done.stdout), done.stdout
    assert re.search(r"^default/default-db +\S+ +Attached +eth0 +business ", done.stdout, re.M)
    assert done.stdout.endswith("no pods\n")
    assert machine() == before


def _blocks(title: str, fence: str) -> str:
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", DOCUMENT, flags=re.S | re.M)
    return "\n".join(re.findall(rf"```{fence}\n(.*?)```", text, flags=re.S))
