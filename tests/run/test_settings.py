"""Settings: where a value comes from, and the error for a wrong one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from planes.run.settings import CONFIG, Option, boolean, directories, endpoint, load

OPTIONS = (
    CONFIG,
    Option("--state-dir", "/var/lib/netplane", "where state is kept"),
    Option("--metrics", None, "HOST:PORT of the metrics", endpoint),
    Option("--cni-bin-dir", "/a:/b", "where plugins are", directories),
    Option("--native", "true", "native plugins", boolean),
    Option("--workers", "4", "how many", int),
    Option("--dry-run", None, "change nothing", boolean, is_switch=True),
)


def loaded(argv: Sequence[str] = (), **env: str) -> Mapping[str, Any]:
    return load("prog", OPTIONS, argv, env)


def refused(argv: Sequence[str] = (), **env: str) -> str:
    stderr = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        load("prog", OPTIONS, argv, env, stderr=stderr)
    assert caught.value.code == 2
    return stderr.getvalue()


def test_defaults_are_parsed_like_everything_else() -> None:
    assert loaded() == {
        "config": None,
        "state_dir": "/var/lib/netplane",
        "metrics": None,
        "cni_bin_dir": ("/a", "/b"),
        "native": True,
        "workers": 4,
        "dry_run": None,
    }


def test_a_flag_goes_before_the_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("workers: 1\nstate-dir: /file\nnative: false\ncni-bin-dir: [/x, /y]\n")
    found = loaded(
        ["--workers", "3", "--config", str(file)], NETPLANE_WORKERS="2", NETPLANE_STATE_DIR="/env"
    )
    assert (found["workers"], found["state_dir"]) == (3, "/env")
    assert (found["native"], found["cni_bin_dir"]) == (False, ("/x", "/y"))


def test_the_file_may_be_named_by_the_environment_and_be_json(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"workers": 7}')
    assert loaded(NETPLANE_CONFIG=str(file))["workers"] == 7


def test_a_switch_takes_no_value() -> None:
    assert loaded(["--dry-run"])["dry_run"] is True


def test_an_empty_variable_is_an_unset_one() -> None:
    assert loaded(NETPLANE_WORKERS="")["workers"] == 4


def test_variables_of_other_programs_and_of_kubernetes_are_no_mistake() -> None:
    """Kubelet sets NETPLANE_WEBHOOK_PORT… for a Service called netplane-webhook."""
    loaded(
        NETPLANE_WEBHOOK="https://x",
        NETPLANE_WEBHOOK_PORT="tcp://10.0.0.1:443",
        NETPLANE_WEBHOOK_SERVICE_HOST="10.0.0.1",
        NETPLANE_WEBHOOK_PORT_443_TCP_ADDR="10.0.0.1",
        PATH="/bin",
    )


@pytest.mark.parametrize(
    ("argv", "env", "says"),
    [
        (["--worker", "3"], {}, "unrecognized arguments: --worker 3"),
        (["--workers", "many"], {}, "cannot use --workers: invalid literal"),
        (["--metrics", "x"], {}, "cannot use --metrics: 'x' is not HOST:PORT"),
        ([], {"NETPLANE_WORKRS": "1"}, "did you mean NETPLANE_WORKERS?"),
        ([], {"NETPLANE_WRK": "1"}, "there is no such setting; unset it"),
        ([], {"NETPLANE_NODES": "1"}, "did you mean NETPLANE_NODE?"),
        ([], {"NETPLANE_NATIVE": "maybe"}, "cannot use NETPLANE_NATIVE: 'maybe' is neither"),
        (["--config", "/nowhere"], {}, "cannot read the configuration file /nowhere: No such"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    argv: list[str], env: dict[str, str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = refused(argv, **env) or capsys.readouterr().err
    assert says in text
    assert text.count("\n") == 1
    assert text.startswith("prog: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("workrs: 1", "unknown key workrs; did you mean workers?"),
        ("wishes: 1", "unknown key wishes; known keys: cni-bin-dir, dry-run, metrics, native,"),
        ("- 1", "it is no mapping"),
        ("a: [", "line 1"),
        ("workers: many", "cannot use key workers of the configuration file"),
        ("config: x", "unknown key config"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(content)
    assert says in refused(["--config", str(file)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [(":9443", ("", 9443)), ("[::1]:0", ("::1", 0)), ("localhost:80", ("localhost", 80))],
)
def test_endpoints(text: str, expected: tuple[str, int]) -> None:
    assert endpoint(text) == expected


@pytest.mark.parametrize("text", ["80", "::1:80", "x:99999", "x:", "x:-1", "x:²"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        endpoint(text)


def test_help_names_the_variable_and_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        loaded(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    assert "--state-dir DIR where state is kept (default: /var/lib/netplane)" in text
    assert "[NETPLANE_STATE_DIR]" in text
