"""`netplane status` over manifests: the daemon's socket, the webhook, what is ignored."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from tests.support.certificates import current, make_root
from tests.support.command_line import Outcome, netplane
from tests.support.planes import plane_object


@contextmanager
def daemon(path: Path, status: int, text: str) -> Iterator[None]:
    """A daemon that answers so, whatever it is asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return ""

    with ThreadingUnixStreamServer(str(path), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "m"
    directory.mkdir()
    (directory / "plane.json").write_text(json.dumps(plane_object()))
    return directory


def status(manifests: Path, *words: str) -> Outcome:
    place = manifests.parent
    return netplane(
        *("status", "--manifests", str(manifests), "--state-dir", str(place / "state")),
        *("--socket", str(place / "cni.sock"), *words),
    )


def test_a_daemon_that_is_ready_is_well(manifests: Path) -> None:
    with daemon(manifests.parent / "cni.sock", 200, "ok; 2 DELs wait\n"):
        outcome = status(manifests)
    assert outcome.status == 0
    assert "daemon    ready (ok; 2 DELs wait)" in outcome.out
    assert "planes    business" in outcome.out
    assert outcome.out.endswith("All is well, as far as it is known.\n")
    assert "not known: how the webhook is; give --ca" in outcome.err


def test_strict_wants_the_webhook_too(manifests: Path) -> None:
    with daemon(manifests.parent / "cni.sock", 200, "ok\n"):
        assert status(manifests, "--strict").status == 1


def test_a_daemon_that_is_not_ready_says_why(manifests: Path) -> None:
    with daemon(manifests.parent / "cni.sock", 503, "the conf dir is shadowed by 00-a.conf\n"):
        outcome = status(manifests)
    assert outcome.status == 1
    assert "fault: the daemon is not ready: the conf dir is shadowed by 00-a.conf" in outcome.out


def test_a_daemon_that_is_away_is_a_fault_and_in_the_json(manifests: Path) -> None:
    outcome = status(manifests, "-o", "json")
    assert outcome.status == 1
    assert outcome.json["well"] is False
    (fault,) = outcome.json["faults"]
    assert fault["what"].startswith("the daemon is not ready: cannot reach it at ")
    assert outcome.json["seen"]["planes"] == ["business"]


def test_a_manifest_that_is_ignored_is_a_fault(manifests: Path) -> None:
    (manifests / "broken.yaml").write_text("kind: [")
    with daemon(manifests.parent / "cni.sock", 200, "ok\n"):
        outcome = status(manifests)
    assert outcome.status == 1
    assert f"fault: {manifests}/broken.yaml:1 is ignored: " in outcome.out


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.0.0.1:1", "Connection refused"),
        ("http://127.0.0.1:1", "no https URL"),
        ("https://127.0.0.1:x", "cannot use"),
    ],
)
def test_a_webhook_that_cannot_be_asked_is_a_fault(manifests: Path, url: str, why: str) -> None:
    ca = manifests.parent / "ca.crt"
    ca.write_bytes(make_root(current()).certificate.pem)
    with daemon(manifests.parent / "cni.sock", 200, "ok\n"):
        outcome = status(manifests, "--webhook", url, "--ca", str(ca))
    assert outcome.status == 1
    assert "fault: the webhook is not ready: " in outcome.out
    assert why in outcome.out


def test_a_certificate_that_is_no_file_is_not_waited_for(manifests: Path) -> None:
    os.mkfifo(manifests.parent / "ca.crt")
    outcome = status(manifests, "--ca", str(manifests.parent / "ca.crt"))
    assert outcome.status == 1
    assert "ca.crt: it is no regular file" in outcome.out


def test_it_waits_until_the_daemon_is_there(manifests: Path) -> None:
    """The manifests are read again, too: the one that is broken at first is mended meanwhile."""
    broken = manifests / "broken.yaml"
    broken.write_text("kind: [")

    def mend() -> None:
        broken.unlink()

    with daemon(manifests.parent / "cni.sock", 200, "ok\n"):
        timer = threading.Timer(0.5, mend)
        timer.start()
        outcome = status(manifests, "--wait", "--timeout", "60")
        timer.join()
    assert outcome.status == 0
    assert f"waiting: {broken}:1 is ignored" in outcome.err


def test_it_gives_up_after_its_time_and_says_what_is_missing(manifests: Path) -> None:
    outcome = status(manifests, "--wait", "--timeout", "1")
    assert outcome.status == 1
    assert "fault: the daemon is not ready" in outcome.out


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "100000"])
def test_a_time_out_of_bounds_is_a_wrong_command_line(manifests: Path, seconds: str) -> None:
    assert status(manifests, "--wait", f"--timeout={seconds}").status == 2
