"""The CNI conf dir, read from files and judged."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis
from planes.cli.doctor.facts.conf_dir import read_conf_dir
from planes.cli.doctor.judging.conf_dir import judge_conf_dir
from tests.cli.doctor.values import only

OURS = {"cniVersion": "1.0.0", "name": "netplane", "plugins": [{"type": "netplane"}]}
FLANNEL = {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "flannel"}]}
MULTUS = {"cniVersion": "1.0.0", "name": "multus", "type": "multus", "clusterNetwork": "cbr0"}
FIRST = "00-netplane.conflist"


def judged(
    folder: Path,
    files: Mapping[str, object],
    *,
    is_cluster: bool = True,
    runs: bool = True,
    replaces: bool = False,
) -> list[Diagnosis]:
    """Write files, read the folder and judge it."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text)
    found = read_conf_dir(folder)
    return list(judge_conf_dir(found, is_cluster=is_cluster, runs=runs, replaces_multus=replaces))


def test_nothing_is_wrong_where_ours_comes_first(tmp_path: Path) -> None:
    files = {FIRST: OURS, "10-flannel.conflist": FLANNEL, "00-multus.conf.netplane-saved": MULTUS}
    assert not judged(tmp_path, files)


def test_a_file_before_ours_is_found_with_the_command(tmp_path: Path) -> None:
    files = {FIRST: OURS, "00-a.conflist": FLANNEL}
    found = only(judged(tmp_path, files))
    assert found.severity == "error"
    assert found.what.startswith(f"00-a.conflist comes before {FIRST}")
    assert found.mend == f"mv {tmp_path}/00-a.conflist {tmp_path}/10-a.conflist"


def test_a_file_name_with_signs_of_the_shell_is_quoted(tmp_path: Path) -> None:
    found = only(
        judged(tmp_path, {FIRST: OURS, "00-a; reboot.conf": {"type": "flannel", **FLANNEL}})
    )
    assert f"mv '{tmp_path}/00-a; reboot.conf' " in found.mend


def test_multus_before_ours_is_found(tmp_path: Path) -> None:
    files = {FIRST: OURS, "00-multus.conf": MULTUS, "10-flannel.conflist": FLANNEL}
    found = only(judged(tmp_path, files))
    assert "NETPLANE_REPLACE_MULTUS" in found.mend
    found = only(judged(tmp_path, {}, replaces=True))
    assert "delete daemonset kube-multus-ds" in found.mend


def test_a_cni_that_sets_files_of_others_aside_is_found(tmp_path: Path) -> None:
    files = {f"{FIRST}.cilium_bak": OURS, "05-cilium.conflist": FLANNEL}
    found = judged(tmp_path, files)
    assert "Cilium has set Netplane's file aside" in found[0].what
    assert "cni.exclusive=false" in found[0].mend


@pytest.mark.parametrize(("runs", "word"), [(True, "though its daemon runs"), (False, "no file")])
def test_a_node_of_a_cluster_without_our_file_is_found(
    tmp_path: Path, runs: bool, word: str
) -> None:
    found = only(judged(tmp_path, {"10-flannel.conflist": FLANNEL}, runs=runs))
    assert (found.severity, word in found.what) == ("error", True)


def test_one_machine_may_have_networks_without_ours(tmp_path: Path) -> None:
    assert not judged(tmp_path, {"87-podman.conflist": FLANNEL}, is_cluster=False)


def test_on_one_machine_networks_are_taken_by_name_in_any_order(tmp_path: Path) -> None:
    files = {"20-planes.conflist": OURS, "10-flannel.conflist": FLANNEL}
    assert not judged(tmp_path, files, is_cluster=False)


def test_a_node_without_default_network_is_found(tmp_path: Path) -> None:
    found = only(judged(tmp_path, {FIRST: OURS}))
    assert (found.severity, "no default network" in found.what) == ("error", True)


@pytest.mark.parametrize(
    ("plugins", "count"),
    [
        ([{"type": "netplane", "planes": ["a"], "delegate": {}}], 0),
        ([{"type": "netplane", "delegate": {"type": "bridge", "name": "x"}}], 0),
        ([{"type": "bridge"}, {"type": "netplane", "planes": ["a"]}], 0),
        ([{"type": "netplane", "planes": ["a"]}], 1),
    ],
)
def test_on_one_machine_only_a_network_without_delegate_needs_a_default(
    plugins: list[object], count: int, tmp_path: Path
) -> None:
    """As in docs/standalone.md: planes only, a delegate, behind another plugin, the default."""
    files = {"20-shop.conflist": {**OURS, "plugins": plugins}}
    assert len(judged(tmp_path, files, is_cluster=False)) == count


def test_a_file_that_cannot_be_read_is_named_without_its_bytes(tmp_path: Path) -> None:
    files = {FIRST: OURS, "10-flannel.conflist": FLANNEL, "20-x.conf": '{"password": "hidden"'}
    found = only(judged(tmp_path, files))
    assert "20-x.conf" in found.what
    assert "hidden" not in str(found)


def test_a_fifo_among_the_files_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "05-x.conf")
    found = only(judged(tmp_path, {FIRST: OURS, "10-flannel.conflist": FLANNEL}))
    assert "05-x.conf" in found.what


def test_a_directory_that_is_not_there_is_found(tmp_path: Path) -> None:
    missing = read_conf_dir(tmp_path / "none")
    assert (
        "there is no CNI conf dir"
        in only(judge_conf_dir(missing, is_cluster=False, runs=True)).what
    )


def test_a_directory_with_too_many_files_is_not_checked(tmp_path: Path) -> None:
    for number in range(1100):
        (tmp_path / f"{number}.x").touch()
    with pytest.raises(CannotCheck, match="more than 1024 entries"):
        read_conf_dir(tmp_path)
