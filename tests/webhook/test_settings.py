"""What can be set about the webhook, and that it decides as the daemon does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cni import settings as daemon
from planes.model.errors import BadInput
from webhook.settings import OPTIONS, OnCluster, WebhookSettings, read

SHARED = ("--namespace-isolation", "--global-namespaces")


def given(folder: Path, *more: str) -> WebhookSettings:
    return read(["--standalone", str(folder), "--cert-dir", str(folder / "certs"), *more], {})


def test_a_missing_certificate_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = given(tmp_path)
    assert settings.cert_dir == tmp_path / "certs"
    assert stat.S_IMODE(settings.cert_dir.stat().st_mode) == 0o700


def test_one_whose_parent_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="it does not exist"):
        given(tmp_path, "--cert-dir", str(tmp_path / "no" / "certs"))
    assert not (tmp_path / "no").exists()


def test_one_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="it is no directory"):
        given(tmp_path, "--cert-dir", str(tmp_path / "file"))


@pytest.mark.parametrize("flag", SHARED)
def test_isolation_is_set_as_the_daemon_has_it_set(flag: str) -> None:
    ours, theirs = (
        next(option for option in options if option.flag == flag)
        for options in (OPTIONS, daemon.OPTIONS)
    )
    assert (ours.default, ours.help, ours.is_switch) == (
        theirs.default,
        theirs.help,
        theirs.is_switch,
    )
    for text in ("true", "false") if ours.is_switch else ("a, b,", '["a","b"]', "", "default"):
        assert ours.parse(text) == theirs.parse(text)


def test_isolation_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert not given(tmp_path).namespace_isolation
    isolated = given(tmp_path, "--namespace-isolation", "--global-namespaces", "ops,default")
    assert isolated.namespace_isolation
    assert isolated.global_namespaces == ("ops", "default")


def test_without_manifests_it_is_a_cluster_s() -> None:
    settings = read(["--pod", "webhook-1"], {"NETPLANE_NAMESPACE": "net"})
    assert settings.cluster == OnCluster(None, "net", "netplane-webhook", "webhook-1")
    assert (settings.manifests, settings.cert_dir, settings.names) == (None, None, ())


def test_on_a_cluster_certificates_may_be_files_of_somebody_else(tmp_path: Path) -> None:
    given = ["--certificates", "files", "--cert-dir", str(tmp_path)]
    assert read(given, {}).cert_dir == tmp_path
    with pytest.raises(BadInput, match="without --cert-dir"):
        read(given[:2], {})


@pytest.mark.parametrize(
    "wrong", [["--certificates", "none"], ["--namespace", "No"], ["--service", "a.b"]]
)
def test_a_wrong_word_about_the_cluster_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        read(wrong, {})
