"""Stands in for systemctl where no systemd runs: starts units as it would, and waits for READY=1.

usage: python systemctl.py COMMAND [--now] [UNIT…]; UNITDIR and RUNDIR say where units and pids are.
The manager's environment is what NETPLANE_CNI_… variables are set here.

Of the restrictions of a unit those are in force that a command can bring about: capabilities, no
new privileges, directories that are read-only or empty, mounts that come in but do not go out.
What a unit prints is in RUNDIR.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

SECONDS = 60.0
READ_ONLY = {"full": ("/usr", "/boot"), "strict": ("/",)}


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Return the values of each key of a unit, in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value)
    return found


def command_of(settings: dict[str, list[str]]) -> list[str]:
    """Return the unit's command behind the programs that restrict it."""
    names = " ".join(settings["CapabilityBoundingSet"]).lower().replace("cap_", "").split()
    bounding = ",".join(["-all", *(f"+{name}" for name in names)])
    assert settings["NoNewPrivileges"] == ["yes"]
    limited = ("setpriv", "--no-new-privs", f"--bounding-set={bounding}", "--inh-caps=-all")
    mounts = ["set -e"]
    mounts += [f"mount --bind /var/lib/{one} /var/lib/{one}" for one in settings["StateDirectory"]]
    for place in READ_ONLY[settings["ProtectSystem"][0]]:
        mounts.append(f"mount --bind {place} {place}; mount -o remount,bind,ro {place}")
    # Not /root: the Python that runs the tests may be there.
    mounts += ["mount -t tmpfs -o ro none /home", 'exec "$@"']
    apart = ("unshare", "--mount", "--propagation", "slave", "sh", "-c", "\n".join(mounts), "unit")
    return [*apart, *limited, *settings["ExecStart"][0].split()]


def start(unit: str, units: Path, run: Path) -> None:
    """Start a unit and wait until it is ready."""
    settings = settings_of(units / f"{unit}.service")
    assert settings["Type"] == ["notify"]
    for root, key in (("/var/lib", "StateDirectory"), ("/run", "RuntimeDirectory")):
        for name in settings[key]:
            Path(root, name).mkdir(mode=0o700, exist_ok=True)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = f"netplane-{unit}-{os.getpid()}"
    told.bind(f"\0{name}")
    told.settimeout(SECONDS)
    ours = {key: text for key, text in os.environ.items() if key.startswith("NETPLANE_CNI_")}
    env = {**ours, "PATH": "/usr/local/bin:/usr/bin:/bin", "NOTIFY_SOCKET": f"@{name}"}
    with (run / f"{unit}.log").open("ab") as log:
        command = command_of(settings)
        process = subprocess.Popen(command, env=env, stdin=log, stdout=log, stderr=log, cwd="/")
    (run / f"{unit}.pid").write_text(f"{process.pid}\n")
    lines: list[str] = []
    while "READY=1" not in lines:
        lines += told.recv(4096).decode().split("\n")
    status = [line.removeprefix("STATUS=") for line in lines if line.startswith("STATUS=")]
    (run / f"{unit}.status").write_text(status[-1])


def stop(unit: str, run: Path) -> None:
    """Stop a unit and wait for its end."""
    pid = int((run / f"{unit}.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Report whether a process runs; one that nobody has awaited does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return not text.rpartition(") ")[2].startswith("Z")


def main(command: str, *given: str) -> None:
    """Carry out one command."""
    units, run = Path(os.environ["UNITDIR"]), Path(os.environ["RUNDIR"])
    for unit in [one for one in given if one != "--now"]:
        if command in {"restart", "disable", "stop"}:
            stop(unit, run)
        if command in {"restart", "enable", "start"}:
            start(unit, units, run)
        if command == "status":
            sys.stdout.write(f'     Status: "{(run / f"{unit}.status").read_text()}"\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
