"""The manifest directory: changes, slow writers, and files that are no manifests."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from planes.store import scan
from planes.store.scan import Look, ManifestDirectory


def namespace(name: str, **labels: str) -> str:
    meta = {"name": name, "labels": labels}
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})


def names(directory: ManifestDirectory) -> list[str]:
    return [manifest.identity.name for manifest in directory.manifests()]


def looked(path: Path) -> ManifestDirectory:
    directory = ManifestDirectory(path)
    directory.refresh(Look.ALL_AT_ONCE)
    return directory


def test_a_change_counts_once_it_has_held_still_for_a_look(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a"))
    directory = looked(tmp_path)
    file.write_text(namespace("a") + "\n---\n" + namespace("b"))
    assert not directory.refresh()
    assert directory.refresh()
    assert names(directory) == ["a", "b"]
    assert not directory.refresh()


def test_a_file_that_keeps_growing_is_left_alone_until_it_is_done(tmp_path: Path) -> None:
    """A half-written file that happens to parse must not hide the rest of its objects."""
    file = tmp_path / "a.yaml"
    whole = namespace("a") + "\n---\n" + namespace("b")
    file.write_text(whole)
    directory = looked(tmp_path)
    for end in range(0, len(whole), 20):
        file.write_text(whole[:end])
        directory.refresh()
        assert names(directory) == ["a", "b"]
        assert directory.problems() == ()


def test_a_broken_file_is_named_and_its_last_good_content_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a"))
    directory = looked(tmp_path)
    file.write_text("kind: Namespace\nmetadata: [\n")
    directory.refresh(Look.ALL_AT_ONCE)
    assert names(directory) == ["a"]
    (problem,) = directory.problems()
    assert problem.where == f"{file}:2"
    file.write_text(namespace("c"))
    directory.refresh(Look.ALL_AT_ONCE)
    assert names(directory) == ["c"]
    assert directory.problems() == ()


def test_an_object_that_turns_bad_keeps_its_last_good_state_alone(tmp_path: Path) -> None:
    """Its neighbours in the file follow the change, and what was removed goes."""
    file = tmp_path / "a.yaml"
    file.write_text("\n---\n".join([namespace("a", v="1"), namespace("b", v="1"), namespace("c")]))
    directory = looked(tmp_path)
    bad = namespace("a").replace('"labels": {}', '"labels": 3')
    file.write_text(f"{bad}\n---\n{namespace('b', v='2')}")
    directory.refresh(Look.ALL_AT_ONCE)
    labels = {m.identity.name: m.obj["metadata"]["labels"] for m in directory.manifests()}
    assert labels == {"a": {"v": "1"}, "b": {"v": "2"}}
    assert [problem.where for problem in directory.problems()] == [f"{file}:1"]


def test_a_deleted_file_is_gone_after_two_looks(tmp_path: Path) -> None:
    """Editors that remove and write anew must not make planes flicker."""
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a"))
    directory = looked(tmp_path)
    directory.refresh()
    file.unlink()
    assert not directory.refresh()
    assert names(directory) == ["a"]
    assert directory.refresh()
    assert names(directory) == []


def test_a_rename_over_the_file_is_seen_even_with_the_same_time_and_size(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(namespace("a"))
    directory = looked(tmp_path)
    fresh = tmp_path / ".a.yaml.new"
    fresh.write_text(namespace("b"))
    before = file.stat()
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.rename(file)
    directory.refresh(Look.ALL_AT_ONCE)
    assert names(directory) == ["b"]


def test_only_manifests_are_looked_at_in_any_depth(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.yml").write_text(namespace("a"))
    (tmp_path / "b.json").write_text(namespace("b"))
    for name in (".hidden.yaml", "c.yaml~", "c.yaml.swp", "README.md"):
        (tmp_path / name).write_text("not: [")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("not: [")
    directory = looked(tmp_path)
    assert sorted(names(directory)) == ["a", "b"]
    assert directory.problems() == ()


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    """A mounted ConfigMap is a directory of links into a hidden one."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.yaml").write_text(namespace("a"))
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "self").symlink_to(".")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert names(looked(tmp_path)) == ["a"]


def test_what_cannot_be_read_is_named_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "nowhere.yaml").symlink_to("missing")
    (tmp_path / "good.yaml").write_text(namespace("a"))
    directory = looked(tmp_path)
    assert names(directory) == ["a"]
    found = {Path(p.where).name: p.reason for p in directory.problems()}
    assert found == {
        "pipe.yaml": "it is no regular file",
        "nowhere.yaml": "No such file or directory",
    }


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(scan.MAX_FILE_BYTES * 1000)
    (problem,) = looked(tmp_path).problems()
    assert "larger than 8 MiB" in problem.reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(namespace("a"))
    (tmp_path / "a.yaml").chmod(0)
    assert [p.reason for p in looked(tmp_path).problems()] == ["Permission denied"]


def test_a_directory_that_is_missing_is_a_problem_and_not_yet_read(tmp_path: Path) -> None:
    directory = looked(tmp_path / "later")
    seen = [(directory.is_read, bool(directory.problems()))]
    (tmp_path / "later").mkdir()
    directory.refresh()
    seen.append((directory.is_read, bool(directory.problems())))
    assert seen == [(False, True), (True, False)]


def test_a_directory_that_vanishes_leaves_its_last_state(tmp_path: Path) -> None:
    home = tmp_path / "m"
    home.mkdir()
    (home / "a.yaml").write_text(namespace("a"))
    directory = looked(home)
    home.rename(tmp_path / "away")
    for _ in range(3):
        directory.refresh()
    assert names(directory) == ["a"]
    assert [problem.where for problem in directory.problems()] == [str(home)]


def test_pods_created_by_command_count_at_the_next_look(tmp_path: Path) -> None:
    """Their files are whole always; two pods in a row must not get one address."""
    directory = looked(tmp_path)
    (tmp_path / "pods").mkdir()
    file = tmp_path / "pods" / "shop_a.json"
    file.write_text(namespace("a"))
    directory.refresh()
    assert names(directory) == ["a"]
    file.unlink()
    directory.refresh()
    assert names(directory) == []
