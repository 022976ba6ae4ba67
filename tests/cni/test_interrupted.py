"""Ctrl-C while a command waits for the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from cni.__main__ import INTERRUPTED
from cni.host.state_lock import lock_state_dir
from tests.support.node.node import ROOT


def test_uninstalling_that_waits_ends_in_one_line_at_ctrl_c(tmp_path: Path) -> None:
    held = lock_state_dir(tmp_path / "state")
    flags = [
        *("--node", "n1", "--state-dir", str(tmp_path / "state"), "--socket", str(tmp_path / "s")),
        *("--cni-conf-dir", str(tmp_path), "--cni-bin-dir", str(tmp_path)),
    ]
    argv = [sys.executable, "-m", "cni", "uninstall", *flags]
    try:
        with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            while "waiting for the daemon before us" not in (line := process.stderr.readline()):
                assert line != "", "it ended without waiting"
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()
    finally:
        os.close(held)
    assert process.returncode == INTERRUPTED
    assert rest.splitlines()[-1] == "netplane-cni: interrupted"
    assert "Traceback" not in rest
