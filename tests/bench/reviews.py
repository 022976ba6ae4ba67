"""Reviews per second of one core over kept-alive TLS, and the decision alone.

The webhook and the bare handler are pinned to one core and asked in turn, by clients pinned to
another. Reviews are counted per second of the clock, and per second of the server's processor time,
which holds also while other programs use the machine.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson

from planes.cli.demo.programs import free_port, python_module
from planes.store.protocol import Store
from tests.bench import review_cases
from tests.bench.processes import ROOT, cpu_seconds, running
from tests.bench.table import Goal, Row, SkippedError, published, side
from webhook.mutate import mutate
from webhook.review import Answer, Review, encode, parse
from webhook.validate import validate

_CLIENTS = 2
_CONNECTIONS = 8
_ROUNDS = 4
_SECONDS = 1.2
_DECISIONS = 4000
_RATE = Goal(">= 8,000 /s", 8000.0, is_at_most=False)
_HALF = Goal(">= 1/2 of bare", 0.5, is_at_most=False)  # 8,000 where the bare handler does 16,000
_DECIDE = (Goal("p50 <= 0.1 ms", 0.1), Goal("p99 <= 1 ms", 1.0, is_tail=True))


@dataclass
class _Rates:
    """One server's reviews per second of the clock and of its processor time."""

    clock: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Server:
    pid: int
    port: int


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: there is only one core.
    """
    cases = review_cases.cases()
    for case in cases:
        say(f"in-process, {case.name}")
        yield from _decide(case, max(200, round(_DECISIONS * scale)))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SkippedError("needs two cores: one for the server, one for its clients")
    with ExitStack() as stack:
        ours, bare = _start(folder, cores[0], cases[0].mutate, stack)
        for case in cases:
            for path, body in (("/mutate/pods", case.mutate), ("/validate/pods", case.validate)):
                (folder / "review").write_bytes(body)
                rates = _Rates(), _Rates()
                for number in range(max(1, round(_ROUNDS * scale))):
                    say(f"{path}, {case.name}, round {number + 1}")
                    for server, found in zip((ours, bare), rates, strict=True):
                        _load(folder, server, path, cores[1], found)
                yield from _rows(f"{path}, {case.name}", *rates)


def _decide(case: review_cases.Case, count: int) -> Iterable[Row]:
    """Time both hooks on bytes, without HTTP, each and together."""
    store = review_cases.store()
    judged: list[tuple[Callable[[Review, Store], Answer], bytes]]
    judged = [(mutate, case.mutate), (validate, case.validate)]
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(count + count // 10):
        for (judge, body), found in zip(judged, times, strict=True):
            begin = time.perf_counter()
            review = parse(body)
            encode(review, judge(review, store))
            if number >= count // 10:
                found.append((time.perf_counter() - begin) * 1e3)
    both = [sum(pair) for pair in zip(*times, strict=True)]
    size = f"{len(case.mutate) / 1e3:.1f} kB"
    yield Row(
        f"in-process mutate + validate, {case.name}, {size}",
        side("netplane", "ms", both, *_DECIDE),
    )
    for word, found in zip(("mutate", "validate"), times, strict=True):
        yield Row(f"in-process {word}, {case.name}", side("netplane", "ms", found))


def _start(folder: Path, core: int, body: bytes, stack: ExitStack) -> tuple[_Server, _Server]:
    """Start the webhook and the bare handler, both on the core."""
    manifests, certificates = folder / "manifests", folder / "certs"
    for made in (manifests, certificates):
        made.mkdir()
    items = [*review_cases.plane_objects(), *review_cases.namespace_objects()]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    (manifests / "objects.json").write_bytes(orjson.dumps(listed))
    answer = folder / "answer"
    review = parse(body)
    answer.write_bytes(encode(review, mutate(review, review_cases.store())))
    ports = free_port(), free_port()
    webhook = python_module(
        *("webhook", "--standalone", str(manifests), "--listen", f"127.0.0.1:{ports[0]}"),
        *("--cert-dir", str(certificates), "--state-dir", str(folder / "state")),
    )
    bare = python_module("tests.bench.bare_handler", str(ports[1]), str(certificates), str(answer))
    servers = []
    for command, port in zip((webhook, bare), ports, strict=True):
        pinned = ["taskset", "-c", str(core), *command]
        ready = _answers(port)
        process = stack.enter_context(running(pinned, folder / f"{port}.log", ready))
        servers.append(_Server(process.pid, port))
    return servers[0], servers[1]


def _answers(port: int) -> Callable[[], bool]:
    def look() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            return False
        return True

    return look


def _load(folder: Path, server: _Server, path: str, core: int, found: _Rates) -> None:
    command = [
        *("taskset", "-c", str(core), sys.executable, "-m", "tests.bench.review_load"),
        *("--port", str(server.port), "--path", path, "--connections", str(_CONNECTIONS)),
        *("--body", str(folder / "review")),
        *("--ca", str(folder / "certs" / "ca.crt"), "--seconds", str(_SECONDS)),
    ]
    before = cpu_seconds(server.pid)
    clients = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(_CLIENTS)
    ]
    said = [client.communicate(timeout=60)[0] for client in clients]
    used = cpu_seconds(server.pid) - before
    if any(client.returncode for client in clients):
        raise RuntimeError("a client failed; its own message is above")
    answers = [json.loads(text) for text in said]
    found.clock.append(sum(one["requests"] / one["seconds"] for one in answers))
    found.cpu.append(sum(one["requests"] for one in answers) / used)
    found.client.append(sum(one["cpu"] / one["seconds"] for one in answers))


def _rows(what: str, ours: _Rates, bare: _Rates) -> Iterable[Row]:
    notes = (
        f"the clients' core was {median(ours.client):.0%} busy with us,"
        f" {median(bare.client):.0%} with the bare handler",
    )
    others = published("best Go peer, 6.4 kB", "/s", 3450.0)
    yield Row(
        f"reviews {what}",
        side("webhook", "/s", ours.clock, _RATE, tail=False),
        (side("bare aiohttp handler", "/s", bare.clock, _HALF, tail=False), others),
        notes,
    )
    yield Row(
        f"reviews {what}, per CPU second",
        side("webhook", "/s", ours.cpu, _RATE, tail=False),
        (side("bare aiohttp handler", "/s", bare.cpu, _HALF, tail=False),),
    )
