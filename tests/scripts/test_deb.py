"""The scripts of the Debian package."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.house.sources import ROOT


def test_a_purge_keeps_the_state_of_containers_that_are_attached(
    tmp_path: Path,
) -> None:
    state = tmp_path / "var/lib/netplane"
    (state / "journal").mkdir(parents=True)
    (state / "journal" / "entry").touch()
    (tmp_path / "var/lib/netplane-webhook").mkdir()
    done = subprocess.run(
        ["sh", str(ROOT / "manifests/systemd/deb/postrm"), "purge"],
        env={"PATH": os.environ["PATH"], "DPKG_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "is kept: containers are attached still" in done.stderr
    assert [path.name for path in (tmp_path / "var/lib").iterdir()] == ["netplane"]
