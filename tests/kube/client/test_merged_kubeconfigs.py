"""Several kubeconfigs count as one: an earlier file's entries, and each file's own paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.client.kubeconfig import from_kubeconfig
from planes.model.errors import BadInput, NotFound
from tests.kube.client.credential_scripts import V1

NAMES = ("a", "b", "c")


def write(path: Path, current: str = "", **kinds: dict[str, Any]) -> Path:
    """Write a kubeconfig; `kinds` has the entries of one kind by name."""
    content: dict[str, Any] = {
        f"{kind}s": [{"name": name, kind: value} for name, value in entries.items()]
        for kind, entries in kinds.items()
    }
    if current:
        content["current-context"] = current
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def cluster(number: int = 1) -> dict[str, str]:
    return {"server": f"https://host:{number}"}


def test_each_file_may_have_a_part(tmp_path: Path) -> None:
    first = write(tmp_path / "one", user={"u": {"token": "t"}})
    second = write(tmp_path / "two", context={"x": {"cluster": "c", "user": "u"}})
    third = write(tmp_path / "three", "x", cluster={"c": cluster()})
    access = from_kubeconfig(first, further=(second, third))
    assert (access.server, access.token) == ("https://host:1", b"t")


def test_an_empty_file_has_no_part(tmp_path: Path) -> None:
    """As `kubectl config` makes one for a start."""
    (tmp_path / "empty").write_text("")
    whole = write(
        tmp_path / "whole",
        "x",
        context={"x": {"cluster": "c", "user": "u"}},
        cluster={"c": cluster()},
        user={"u": {"token": "t"}},
    )
    assert from_kubeconfig(tmp_path / "empty", further=(whole,)).token == b"t"


def test_entries_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    """The second file has a client certificate for the same user: it does not count at all."""
    first = write(tmp_path / "one", user={"u": {"token": "t"}})
    second = write(
        tmp_path / "two",
        "x",
        context={"x": {"cluster": "c", "user": "u"}},
        cluster={"c": cluster()},
        user={"u": {"client-certificate": "/c", "client-key": "/k"}},
    )
    access = from_kubeconfig(first, further=(second,))
    assert (access.token, access.certificate, access.key) == (b"t", None, None)


def test_paths_are_relative_to_the_file_that_has_them(tmp_path: Path) -> None:
    exec_spec = {"apiVersion": V1, "command": "./log-in", "interactiveMode": "Never"}
    first = write(tmp_path / "one" / "config", user={"u": {"exec": exec_spec}})
    second = write(
        tmp_path / "two" / "config",
        "x",
        context={"x": {"cluster": "c", "user": "u"}},
        cluster={"c": {**cluster(), "certificate-authority": "ca.crt"}},
    )
    access = from_kubeconfig(second, further=(first,))
    assert access.authority == tmp_path / "two" / "ca.crt"
    assert access.plugin is not None
    assert access.plugin.command == (str(tmp_path / "one" / "log-in"),)


def test_a_fault_names_the_file_that_has_it(tmp_path: Path) -> None:
    first = write(tmp_path / "one", "x", context={"x": {"cluster": "c", "user": "u"}})
    second = write(tmp_path / "two", cluster={"c": {"server": "http://host"}}, user={"u": {}})
    third = write(tmp_path / "three", user={"u": {"token": "t"}})
    with pytest.raises(BadInput, match="two: its server is not an https:// address"):
        from_kubeconfig(first, further=(third, second))


def test_what_no_file_has_names_all_of_them(tmp_path: Path) -> None:
    files = [write(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(BadInput, match=f"{files[0]}:{files[1]}: current-context is not set"):
        from_kubeconfig(files[0], further=files[1:])
    with pytest.raises(BadInput, match=f"{files[0]}:{files[1]}: it has no context x"):
        from_kubeconfig(files[0], context="x", further=files[1:])


def test_every_file_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="none"):
        from_kubeconfig(write(tmp_path / "one"), further=(tmp_path / "none",))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9), max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(NAMES),
)
def test_the_first_file_with_a_name_decides(
    tmp_path_factory: pytest.TempPathFactory, files: list[dict[str, int]], wanted: str
) -> None:
    """As kubectl: whatever later files have under that name."""
    folder = tmp_path_factory.mktemp("merged")
    contexts = {"x": {"cluster": wanted, "user": "u"}}
    head = write(folder / "head", "x", context=contexts, user={"u": {"token": "t"}})
    further = [
        write(folder / str(n), cluster={name: cluster(port) for name, port in one.items()})
        for n, one in enumerate(files)
    ]
    expected = next((one[wanted] for one in files if wanted in one), None)
    if expected is None:
        with pytest.raises(BadInput, match="it has no cluster"):
            from_kubeconfig(head, further=further)
    else:
        assert from_kubeconfig(head, further=further).server == f"https://host:{expected}"
