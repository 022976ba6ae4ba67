"""Programs below another root directory: found, started and run as if it were the root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cni.host.chroot import resolve, search_path
from cni.host.exec import SystemExec
from cni.net.execute import Tools
from planes.model.errors import Internal, NotFound
from planes.run.clock import SystemClock

USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "host"
    (made / "opt/cni/bin").mkdir(parents=True)
    (made / "real").mkdir()
    return made


def busybox(root: Path) -> str:
    """Put a static program into the root."""
    found = shutil.which("busybox")
    if found is None:
        pytest.skip("no busybox: install busybox-static")
    if os.geteuid() != 0:
        pytest.skip("needs root for chroot")
    (root / "bin").mkdir()
    shutil.copy(found, root / "bin/busybox")
    return "/bin/busybox"


def script(root: Path, path: str, text: str) -> None:
    busybox(root)
    script_at(root, path, text)


def script_at(root: Path, path: str, text: str) -> None:
    (root / path).write_text(f"#!/bin/busybox sh\n{text}\n")
    (root / path).chmod(0o755)


def system(root: Path) -> SystemExec:
    return SystemExec({"PATH": "/bin"}, SystemClock(), str(root))


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/real", "real/plug"),
        ("../../real", "real/plug"),
        ("/../../../real", "real/plug"),
        ("/opt/./cni/../../real", "real/plug"),
    ],
)
def test_links_end_inside_the_root(root: Path, target: str, leads_to: str) -> None:
    (root / "opt/cni/bin").rmdir()
    (root / "opt/cni/bin").symlink_to(target)
    assert resolve(str(root), "/opt/cni/bin/plug") == f"{root}/{leads_to}"


def test_links_in_a_circle_are_no_file(root: Path) -> None:
    (root / "opt/cni/bin/plug").symlink_to("plug")
    assert system(root).find("plug", ["/opt/cni/bin"]) is None


def test_a_plugin_is_found_in_the_root_and_named_as_the_root_has_it(root: Path) -> None:
    (root / "real/plug").write_text("")
    (root / "opt/cni/bin/plug").symlink_to("/real/plug")
    assert system(root).find("plug", ["/nowhere", "/opt/cni/bin"]) == "/opt/cni/bin/plug"
    assert system(root).find("sh", ["/bin"]) is None


async def test_a_plugin_runs_with_that_root_and_in_its_top_directory(root: Path) -> None:
    script(
        root, "opt/cni/bin/plug", 'busybox pwd; busybox ls /opt; echo "$CNI_IFNAME"; busybox cat'
    )
    done = await system(root).run("/opt/cni/bin/plug", {"CNI_IFNAME": "eth0"}, b"config", 10)
    assert (done.code, done.stdout) == (0, b"/\ncni\neth0\nconfig")


async def test_how_a_plugin_ends_is_its_own(root: Path) -> None:
    script(root, "opt/cni/bin/plug", "echo sorry >&2; exit 126")
    done = await system(root).run("/opt/cni/bin/plug", {}, b"", 10)
    assert (done.code, done.stderr) == (126, b"sorry\n")


async def test_a_plugin_that_cannot_be_started_is_told_as_without_a_root(root: Path) -> None:
    busybox(root)
    (root / "opt/cni/bin/plug").write_text("no program")
    with pytest.raises(Internal, match=r"cannot start the plugin /opt/cni/bin/plug: Permission"):
        await system(root).run("/opt/cni/bin/plug", {}, b"", 10)


def test_tools_are_those_of_the_root(root: Path) -> None:
    (root / "usr/sbin").mkdir(parents=True)
    script(root, "real/nft", 'echo "here $*"; busybox cat')
    (root / "usr/sbin/nft").symlink_to("/real/nft")
    done = Tools(str(root)).execute(["nft", "-f", "-"], "rules")
    assert (done.status, done.output) == (0, "here -f -\nrules")
    with pytest.raises(NotFound, match="iptables-save"):
        Tools(str(root)).execute(["iptables-save"])


async def test_programs_of_a_root_get_its_usual_search_path_not_that_of_our_image(
    root: Path,
) -> None:
    """The image has PATH=/usr/bin:/bin; iptables, which portmap calls, is in /usr/sbin."""
    script(root, "opt/cni/bin/plug", 'echo "$PATH"')
    done = await system(root).run("/opt/cni/bin/plug", {}, b"", 10)
    assert done.stdout.decode().strip() == USUAL


async def test_a_plugin_finds_a_program_of_its_root_in_usr_sbin(root: Path) -> None:
    script(root, "opt/cni/bin/plug", "iptables --version")
    (root / "usr/sbin").mkdir(parents=True)
    script_at(root, "usr/sbin/iptables", "echo this is iptables")
    done = await system(root).run("/opt/cni/bin/plug", {}, b"", 10)
    assert done.stdout == b"this is iptables\n"


def test_tools_of_a_root_get_the_same_search_path(root: Path) -> None:
    (root / "usr/sbin").mkdir(parents=True)
    script(root, "usr/sbin/nft", 'echo "$PATH"')
    assert Tools(str(root)).execute(["nft"]).output.strip() == USUAL


async def test_what_our_image_tells_its_python_does_not_reach_programs_of_a_root(
    root: Path,
) -> None:
    script(root, "opt/cni/bin/plug", 'echo "$PYTHONPATH$HTTPS_PROXY"')
    environment = {"PYTHONPATH": "/opt/netplane/lib", "HTTPS_PROXY": "kept"}
    executed = SystemExec(environment, SystemClock(), str(root))
    done = await executed.run("/opt/cni/bin/plug", {}, b"", 10)
    assert done.stdout == b"kept\n"


@pytest.mark.parametrize("root", ["", "/"])
async def test_what_the_service_manager_told_us_does_not_reach_other_programs(
    tmp_path: Path, root: str
) -> None:
    """A plugin that is told of our manager would speak in our name."""
    script(tmp_path, "plug", "env")
    told = {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2", "LANG": "C"}
    if root and os.geteuid() != 0:
        pytest.skip("needs root for chroot")
    done = await SystemExec(told, SystemClock(), root).run(f"{tmp_path}/plug", {}, b"", 10)
    assert b"LANG=C" in done.stdout
    assert not any(name in done.stdout for name in (b"NOTIFY", b"WATCHDOG"))


def test_without_a_root_the_usual_directories_follow_our_own() -> None:
    """A service manager or cron may start us with a PATH without the sbin directories."""
    assert ":".join(search_path("", "/nix/bin::here:/usr/bin")) == (
        "/nix/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin"
    )
