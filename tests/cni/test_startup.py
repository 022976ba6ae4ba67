"""How the daemon starts, or refuses to: settings, and one line about the error."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cni.__main__ import main
from cni.settings import OPTIONS, read_settings
from tests.cni.scene import set_up
from tests.support.node.daemon import Place
from tests.support.node.netns import Node

kernel = pytest.mark.kernel


@kernel
def test_a_second_daemon_on_the_same_state_is_refused_in_one_line(
    daemon: Place, here: Node
) -> None:
    set_up(daemon)
    daemon.start()
    stderr = io.StringIO()
    flags = ["--standalone", str(daemon.directory), "--socket", f"{daemon.directory}/other"]
    assert main([*flags, "--state-dir", str(daemon.state)], {}, stderr) == 1
    assert stderr.getvalue().count("\n") == 1
    assert "another daemon uses it" in stderr.getvalue()


@kernel
def test_a_socket_in_use_is_told_in_one_line(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    stderr = io.StringIO()
    flags = ["--standalone", str(daemon.directory / "manifests"), "--socket", str(daemon.socket)]
    other = ["--state-dir", str(daemon.directory / "other"), "--log-level", "error"]
    assert main([*flags, *other], {}, stderr) == 1
    assert stderr.getvalue().count("\n") == 1
    assert "another daemon serves it" in stderr.getvalue()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "NETPLANE_NODE"),
        (["--standalone", "/nowhere"], "/nowhere"),
    ],
)
def test_what_it_cannot_start_without_is_told_in_one_line(argv: list[str], words: str) -> None:
    stderr = io.StringIO()
    assert main(argv, {}, stderr) == 1
    assert stderr.getvalue().startswith("netplane-cni: cannot ")
    assert stderr.getvalue().count("\n") == 1
    assert words in stderr.getvalue()


def test_on_a_cluster_it_must_be_told_how_to_reach_the_api_server(tmp_path: Path) -> None:
    stderr = io.StringIO()
    flags = ["--node", "n1", "--state-dir", str(tmp_path / "state")]
    assert main(flags, {}, stderr) == 1
    assert stderr.getvalue().count("\n") == 1
    assert "cannot find the API server" in stderr.getvalue()


def test_a_variable_of_the_daemonset_sets_the_same_as_a_flag() -> None:
    env = {
        "NETPLANE_NODE": "n1",
        "NETPLANE_HOST_ROOT": "/host/",
        "NETPLANE_REPLACE_MULTUS": "true",
        "NETPLANE_KUBECONFIG": "/etc/k",
    }
    settings = read_settings([], env)
    assert (settings.node, settings.host_root, settings.replace_multus) == ("n1", "/host", True)
    assert settings.kubeconfig == Path("/etc/k")
    assert not settings.is_standalone


def test_an_ordinary_user_is_told_so_in_one_line(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    code = (
        "import os, sys; from cni.__main__ import main; os.setuid(65534);"
        "sys.exit(main(sys.argv[1:], {}, sys.stderr))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--standalone", "/"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "netplane-cni: cannot attach sandboxes to networks as an ordinary user; run it as root\n"
    )


@pytest.mark.parametrize(
    "argv",
    [
        ["--max-in-flight", "0"],
        ["--call-deadline", "-1"],
        ["--native", "bridge=perhaps"],
        ["--metrics", "nowhere"],
        ["--log-level", "loud"],
        ["--no-such-flag"],
    ],
)
def test_a_bad_flag_is_told_in_one_line(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read_settings(["--standalone", str(tmp_path), *argv], {})
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_names_the_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read_settings(["--help"], {})
    assert caught.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for command in ("pending", "forget", "install", "uninstall"):
        assert f"netplane-cni {command}" in shown


def test_flags_variables_and_the_file_set_the_same_things(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("native: {bridge: false, macvlan: true}\nmax-in-flight: 3\nnode: from-file\n")
    env = {"NETPLANE_NODE": "from-env", "NETPLANE_CONFIG": str(config)}
    settings = read_settings(["--standalone", str(tmp_path), "--max-in-flight", "5"], env)
    assert settings.not_native == {"bridge"}
    assert settings.max_in_flight == 5
    assert settings.node == "from-env"
    assert settings.cni_bin_dir == ("/opt/cni/bin", "/usr/lib/cni")
    assert str(settings.socket) == "/run/netplane/cni.sock"


@pytest.mark.parametrize("text", ["false", "off", " False "])
def test_all_types_are_executed_where_none_is_native(text: str, tmp_path: Path) -> None:
    settings = read_settings(["--standalone", str(tmp_path), "--native", text], {})
    assert all(kind in settings.not_native for kind in ("bridge", "flannel", "host-local"))


def test_the_file_may_say_that_no_type_is_native(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("native: false\n")
    settings = read_settings(["--standalone", str(tmp_path)], {"NETPLANE_CONFIG": str(config)})
    assert "bridge" in settings.not_native


def test_no_type_is_executed_where_all_are_native(tmp_path: Path) -> None:
    settings = read_settings(["--standalone", str(tmp_path), "--native", "true"], {})
    assert settings.not_native == frozenset()


def test_every_setting_has_a_help_text() -> None:
    assert all(option.help for option in OPTIONS)
