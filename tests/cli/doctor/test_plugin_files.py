"""Plugins that are executed, and their binaries."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.cli.doctor.facts.native import NativeRule, native_rule
from planes.cli.doctor.facts.plugin_files import (
    ExecutedPlugin,
    PluginFile,
    executed_plugins,
    plugin_files,
)
from planes.cli.doctor.judging.plugins import judge_plugins, judge_shim
from tests.cli.doctor.values import nad, only, plane

BIN = "/opt/cni/bin"


def rule(tmp_path: Path, *disabled: str) -> NativeRule:
    return native_rule(disabled, ["/var/lib/cni"], "", tmp_path)


def make(root: Path, name: str, mode: int = 0o755) -> None:
    (root / "opt/cni/bin").mkdir(parents=True, exist_ok=True)
    (root / "opt/cni/bin" / name).touch()
    (root / "opt/cni/bin" / name).chmod(mode)


def test_native_types_need_no_binary(tmp_path: Path) -> None:
    networks = [plane(), nad("b", type="bridge", ipam={"type": "host-local"})]
    assert not executed_plugins(networks, rule(tmp_path), [BIN], str(tmp_path))


def test_other_types_other_ipam_and_types_that_are_switched_off_are_executed(
    tmp_path: Path,
) -> None:
    networks = [plane(), nad("c", type="calico", ipam={"type": "whereabouts"})]
    found = executed_plugins(networks, rule(tmp_path, "macvlan"), [BIN], str(tmp_path))
    assert {one.type: one.why for one in found} == {
        "macvlan": "the settings leave it to its binary",
        "calico": "it has no native form",
        "whereabouts": "this IPAM type has no native form",
    }


def test_a_missing_binary_is_found_with_who_needs_it(tmp_path: Path) -> None:
    executed = executed_plugins([nad("c", type="calico")], rule(tmp_path), [BIN], str(tmp_path))
    found = only(judge_plugins(executed, [BIN]))
    assert found.severity == "error"
    assert found.what == f'there is no plugin "calico" in {BIN}'
    assert "NAD shop/c" in found.why


def test_a_reference_plugin_is_installed_by_a_command(tmp_path: Path) -> None:
    network = nad("d", type="macvlan", ipam={"type": "dhcp"})
    executed = executed_plugins([network], rule(tmp_path), [BIN], str(tmp_path))
    mend = only(judge_plugins(executed, [BIN])).mend
    assert mend.endswith("; install -m 755 /usr/lib/cni/dhcp /opt/cni/bin")


@pytest.mark.parametrize(
    ("mode", "text"), [(0o755, ""), (0o644, "is not executable"), (0o600, "is not executable")]
)
def test_a_binary_must_be_executable(tmp_path: Path, mode: int, text: str) -> None:
    make(tmp_path, "calico", mode)
    executed = executed_plugins([nad("c", type="calico")], rule(tmp_path), [BIN], str(tmp_path))
    found = [one.what for one in judge_plugins(executed, [BIN])]
    assert found == ([f"{BIN}/calico {text}"] if text else [])


def test_a_folder_or_a_link_to_nothing_is_no_binary(tmp_path: Path) -> None:
    make(tmp_path, "x")
    (tmp_path / "opt/cni/bin/calico").mkdir()
    (tmp_path / "opt/cni/bin/gone").symlink_to("/nowhere")
    for kind in ("calico", "gone"):
        (file,) = plugin_files(kind, [BIN], str(tmp_path))
        assert not file.is_regular


def test_a_link_of_the_node_ends_below_its_root(tmp_path: Path) -> None:
    make(tmp_path, "real")
    (tmp_path / "opt/cni/bin/calico").symlink_to("/opt/cni/bin/real")
    assert plugin_files("calico", [BIN], str(tmp_path)) == (PluginFile(f"{BIN}/calico"),)


@pytest.mark.parametrize("kind", ["../../etc/passwd", "a/b", "a\0b", ""])
def test_a_type_that_is_no_file_name_leads_nowhere(tmp_path: Path, kind: str) -> None:
    make(tmp_path, "x")
    assert [one for one in plugin_files(kind, [BIN], str(tmp_path)) if one.is_regular] == []


def test_a_binary_that_cannot_be_read_is_found() -> None:
    file = PluginFile(f"{BIN}/calico", is_readable=False)
    executed = [ExecutedPlugin("calico", "it has no native form", ("NAD a/b",), (file,))]
    assert only(judge_plugins(executed, [BIN])).mend == f"chmod a+r {BIN}/calico"


@pytest.mark.parametrize(
    ("is_cluster", "mend"),
    [
        (True, "netplane-cni install, in the daemon's"),
        (False, f"install -D -m 755 build/netplane {BIN}/netplane, "),
    ],
)
def test_a_missing_shim_is_found_with_the_command_for_the_place(
    is_cluster: bool, mend: str
) -> None:
    """`netplane-cni install` copies the shim of the image, which no machine has."""
    found = only(judge_shim((), [BIN], is_cluster=is_cluster))
    assert "no plugin netplane" in found.what
    assert found.mend.startswith(mend)


def test_a_shim_that_is_there_is_right() -> None:
    files = [PluginFile(f"{BIN}/netplane")]
    assert not list(judge_shim(files, [BIN], is_cluster=False))
