"""A tenant's plugins hang: the daemon stops in time when asked to, and keeps its journal."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.attacks.hanging import AttackedNode, sandboxes
from tests.support.node.daemon import ROOT

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

GRACE = yaml.safe_load((ROOT / "manifests/base/cni/daemonset.yaml").read_text())["spec"][
    "template"
]["spec"]["terminationGracePeriodSeconds"]


def test_tenant_whose_plugins_hang_does_not_keep_the_daemon_from_ending(
    attacked: AttackedNode,
) -> None:
    """Neither at ADD nor in its undo; what they hold stays in the journal, and nothing runs on."""
    attacked.start()
    with sandboxes(3) as theirs:
        attacked.attack(theirs)
        attacked.until_hanging(3)
        begun = time.monotonic()
        assert attacked.place.process is not None
        attacked.place.process.send_signal(signal.SIGTERM)
        attacked.place.process.wait(GRACE)
        assert time.monotonic() - begun < GRACE
        assert attacked.running() == 0
        assert len(list((attacked.place.state / "journal").glob("*evil*"))) == 3


def test_tenant_whose_plugins_outlive_a_killed_daemon_meets_them_no_more(
    attacked: AttackedNode,
) -> None:
    """An ADD that goes on after its own undo would attach what nobody knows of."""
    attacked.start()
    with sandboxes(2) as theirs:
        attacked.attack(theirs)
        attacked.until_hanging(2)
        attacked.place.kill()
        assert attacked.running() == 2
        (attacked.plugins / "hang").write_text("#!/bin/sh\nexit 0\n")
        attacked.start()
        assert attacked.running() == 0


def test_node_whose_api_server_is_silent_can_still_be_restarted(tmp_path: Path) -> None:
    """It takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        (tmp_path / "net.d").mkdir()
        command = [
            *(sys.executable, "-m", "cni", "--node", "node-a"),
            *("--kubeconfig", str(tmp_path / "kubeconfig"), "--socket", str(tmp_path / "s")),
            *("--state-dir", str(tmp_path / "state"), "--cni-conf-dir", str(tmp_path / "net.d")),
        ]
        log = (tmp_path / "log").open("wb")
        with log, subprocess.Popen(command, cwd=ROOT, stderr=log) as daemon:
            time.sleep(3)
            assert daemon.poll() is None, (tmp_path / "log").read_text()
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(GRACE)
            finally:
                daemon.kill()
