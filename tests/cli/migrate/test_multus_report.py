"""What becomes of the settings in Multus' files."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.migrate.multus_report import Followed, read_multus
from planes.model.errors import BadInput

DATA = Path(__file__).parents[2] / "data" / "migrate"


def verdicts(*paths: Path) -> dict[str, Followed]:
    return {one.key: one.followed for one in read_multus(paths).settings}


def written(tmp_path: Path, **conf: Any) -> Path:
    path = tmp_path / "00-multus.conf"
    path.write_text(json.dumps(conf))
    return path


def test_a_file_of_thin_multus_is_followed() -> None:
    assert verdicts(DATA / "thin-multus.conf") == {
        "capabilities": Followed.YES,
        "kubeconfig": Followed.NO_EFFECT,
        "delegates": Followed.YES,
    }


def test_a_file_of_thick_multus_wants_its_daemon_config(tmp_path: Path) -> None:
    assert verdicts(DATA / "00-multus.conf")["-"] is Followed.TO_DO
    daemon = tmp_path / "daemon-config.json"
    daemon.write_text('{"chrootDir": "/hostroot", "metricsPort": 9091}')
    found = verdicts(DATA / "00-multus.conf", daemon)
    assert "-" not in found
    assert (found["chrootDir"], found["metricsPort"]) == (Followed.NO_EFFECT, Followed.TO_DO)


def test_keys_are_matched_without_case_and_unknown_ones_named(tmp_path: Path) -> None:
    found = verdicts(written(tmp_path, type="multus", LogLevel="debug", colour="red"))
    assert found == {"LogLevel": Followed.TO_DO, "colour": Followed.UNKNOWN}


def test_isolation_is_to_be_set_for_admission(tmp_path: Path) -> None:
    path = written(tmp_path, type="multus", namespaceIsolation=True, globalNamespaces="a, b")
    found = read_multus([path])
    assert found.isolates
    assert found.global_namespaces == {"a", "b"}
    assert "NETPLANE_NAMESPACE_ISOLATION=true" in found.settings[0].text


@pytest.mark.parametrize("text", ["[]", "{", '{"type": "bridge"}', '{"plugins": [{"type": "x"}]}'])
def test_a_file_that_is_not_multus_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.conf"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"other\.conf"):
        read_multus([path])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_multus([tmp_path / "none.conf"])


@given(st.dictionaries(st.text(max_size=80), st.integers(), max_size=5))
def test_no_value_and_no_escape_is_shown(settings: dict[str, int]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "00-multus.conf"
        path.write_text(json.dumps({**settings, "colour": "Zq7hunter2", "type": "multus"}))
        shown = [f"{one.key}{one.text}" for one in read_multus([path]).settings]
    assert all(text.isprintable() and "Zq7hunter2" not in text for text in shown)
