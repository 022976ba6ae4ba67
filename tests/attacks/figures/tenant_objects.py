"""What one tenant's NADs and pods cost the webhook and a node's daemon, as programs of their own.

Each is measured twice: while the tenant writes, and when it starts with all of that there already.
Reviews are asked for meanwhile, as an API server asks for them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.attacks.figures.figure import Figure
from tests.bench.processes import resident_mebibytes, running
from tests.bench.review_cases import cases
from tests.support.certificates import current, make_root, make_serving
from tests.webhook.test_program import free_port

_DAEMON_MIB: Final = 20.0
_WEBHOOK_MIB: Final = 50.0
_REVIEW_MS: Final = 5.0
_SECONDS: Final = 12.0
_SETTLED: Final = 1.0


def measure_nads() -> Iterator[Figure]:
    """Measure 1,000 hostile NADs of one namespace, five of sixteen as large as they can be."""
    yield from _measure("1,000 hostile NADs", "network-attachment-definitions", 1000)


def measure_pods() -> Iterator[Figure]:
    """Measure 60 pods that claim 18,000 addresses each, written again and again."""
    yield from _measure("60 pods claim 18,000 addresses each", "pods", 60)


def _measure(attack: str, plural: str, count: int) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        scene = stack.enter_context(_scene(Path(temporary)))
        webhook = stack.enter_context(scene.webhook("before"))
        daemon = stack.enter_context(scene.daemon("before"))
        time.sleep(_SETTLED)
        before = webhook.mebibytes(), daemon.mebibytes()
        with _reviews(webhook.port, webhook.folder) as reviews, _watched(webhook, daemon) as most:
            scene.attack(plural, count)
            time.sleep(_SETTLED)
        yield Figure(attack, "daemon RSS", most[1] - before[1], _DAEMON_MIB, "MiB")
        yield Figure(attack, "webhook RSS", most[0] - before[0], _WEBHOOK_MIB, "MiB")
        yield Figure(attack, "review p99", reviews.percentile(99), _REVIEW_MS, "ms")
        with scene.daemon("after") as late:
            yield Figure(attack, "daemon started", late.peak() - before[1], _DAEMON_MIB, "MiB")
        with scene.webhook("after") as late:
            yield Figure(attack, "webhook started", late.peak() - before[0], _WEBHOOK_MIB, "MiB")


@dataclass(frozen=True)
class _Program:
    pid: int
    port: int
    folder: Path

    def mebibytes(self) -> float:
        return resident_mebibytes(self.pid)

    def peak(self) -> float:
        """Return the most memory that it has ever held, in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"process {self.pid} has ended")


@dataclass
class _Scene:
    home: Path
    port: int
    kubeconfig: Path

    @contextmanager
    def webhook(self, name: str) -> Iterator[_Program]:
        folder = self.home / f"webhook-{name}"
        folder.mkdir()
        root = make_root(current())
        pair = make_serving(root, current())
        for file, content in (
            ("ca.crt", root.certificate.pem),
            ("tls.crt", pair.chain),
            ("tls.key", pair.key),
        ):
            (folder / file).write_bytes(content)
        port, metrics = free_port(), free_port()
        command = [
            *(sys.executable, "-m", "webhook", "--kubeconfig", str(self.kubeconfig)),
            *("--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}"),
            *("--certificates", "files", "--cert-dir", str(folder), "--pod", "webhook-1"),
        ]
        with running(command, folder / "log", lambda: _is_ready(metrics, "/readyz")) as process:
            _put_first(process.pid, 2)
            yield _Program(process.pid, port, folder)

    @contextmanager
    def daemon(self, name: str) -> Iterator[_Program]:
        folder = self.home / f"daemon-{name}"
        (folder / "net.d").mkdir(parents=True)
        metrics = free_port()
        command = [
            *(sys.executable, "-m", "cni", "--kubeconfig", str(self.kubeconfig)),
            *("--node", "node-a", "--socket", str(folder / "cni.sock")),
            *("--state-dir", str(folder / "state"), "--cni-conf-dir", str(folder / "net.d")),
            *("--multus-cache", str(folder / "multus"), "--metrics", f"127.0.0.1:{metrics}"),
        ]
        with running(command, folder / "log", lambda: _has_listed(metrics)) as process:
            _put_first(process.pid, 1)
            yield _Program(process.pid, 0, folder)

    def attack(self, plural: str, count: int) -> None:
        context = ssl.create_default_context(cafile=self.home / "ca.pem")
        asked = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=60)
        asked.request("POST", f"/attack/{plural}?count={count}&seconds={_SECONDS}")
        asked.getresponse().read()
        asked.close()


def _put_first(pid: int, priority: int) -> None:
    """Have a program run before the machine's others, where that is allowed: they do not count."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(priority))


@contextmanager
def _scene(home: Path) -> Iterator[_Scene]:
    command = [sys.executable, "-m", "tests.attacks.figures.hostile_api", str(home)]
    with running(command, home / "log", (home / "port").exists) as process:
        _put_first(process.pid, 1)
        port = int((home / "port").read_text())
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": f"{home}/ca.pem"}
        config = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": "a-token"}}],
        }
        (home / "kubeconfig").write_text(json.dumps(config))
        yield _Scene(home, port, home / "kubeconfig")


def _is_ready(port: int, path: str) -> bool:
    return _got(port, path)[0] == 200


def _has_listed(port: int) -> bool:
    """Report whether a daemon has listed all kinds that a tenant writes."""
    lists = [
        line for line in _got(port, "/metrics")[1].splitlines() if "watch_lists_total{" in line
    ]
    return len(lists) >= 4 and all(float(line.rpartition(" ")[2]) > 0 for line in lists)


def _got(port: int, path: str) -> tuple[int, str]:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        asked.request("GET", path)
        answer = asked.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        asked.close()


@contextmanager
def _watched(*programs: _Program) -> Iterator[list[float]]:
    """Look at what programs hold in memory, fifty times a second; return the most of each."""
    most = [0.0 for _ in programs]

    def look() -> None:
        for place, program in enumerate(programs):
            most[place] = max(most[place], program.mebibytes())

    with _repeated(look, 0.02):
        yield most


@dataclass
class _Latencies:
    seconds: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """Return a percentile in milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[len(ordered) * percent // 100] * 1000


@contextmanager
def _reviews(port: int, folder: Path) -> Iterator[_Latencies]:
    """Ask for reviews, a hundred times a second over one connection."""
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    asked = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    body, found = cases()[0].mutate, _Latencies()
    headers = {"Content-Type": "application/json"}

    def ask() -> None:
        _put_first(threading.get_native_id(), 3)
        began = time.perf_counter()
        asked.request("POST", "/mutate/pods", body, headers)
        answer = asked.getresponse()
        if b'"allowed":true' not in answer.read():
            raise RuntimeError("the review is not answered as it was")
        found.seconds.append(time.perf_counter() - began)

    ask()
    found.seconds.clear()
    with _repeated(ask, 0.01):
        yield found
    asked.close()


@contextmanager
def _repeated(act: Callable[[], None], pause: float) -> Iterator[None]:
    is_over = threading.Event()
    failures: list[Exception] = []

    def run() -> None:
        try:
            while not is_over.wait(pause):
                act()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    if failures:
        raise failures[0]
