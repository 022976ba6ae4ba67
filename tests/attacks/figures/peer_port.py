"""Admission's port under attack: memory of the webhook, and how long a legitimate review takes.

The reviews are asked as an API server asks them: mostly over kept connections, some over new ones,
from an address of its own and, beside it, from the address of the attackers. One that fails is
asked again, and took as long as both.
"""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from planes.cli.demo.programs import free_port, python_module
from tests.attacks.figures.figure import Figure
from tests.attacks.peers.attacks import ATTACKS, HOST
from tests.bench.processes import ROOT, resident_mebibytes, running
from tests.support.webhook.admission import pod_object, review_object

_SECONDS = 2.0
_TOGETHER_SECONDS = 6.0
_MOST_SECONDS = 30.0
_REVIEWS = 100  # fewer say nothing about one in twenty
_RESIDENT_MIB = 250.0
_P99_SECONDS = 1.0
_AGAIN = 0.05  # an idle connection may be ended just when it is used again
_AGAIN_NEIGHBOUR = 0.2  # only the source with most peers loses connections: that is its own here
_GIVE_UP_SECONDS = 10.0
_PAUSE_SECONDS = 0.01
_API_SERVER = "127.0.0.2"  # the attackers have another
_NEW_EACH = 4  # every fourth review comes over a new connection
_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
_APART = ("too-many-lists",)  # refused by its length: what is left of it are handshakes


@dataclass
class Webhook:
    """A webhook process, and how to ask it."""

    pid: int
    port: int
    authority: Path
    context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.context = ssl.create_default_context(cafile=str(self.authority))

    def connect(self, source: str) -> http.client.HTTPSConnection:
        """Open a connection from this address."""
        return http.client.HTTPSConnection(
            "localhost",
            self.port,
            timeout=_GIVE_UP_SECONDS,
            context=self.context,
            source_address=(source, 0),
        )


@contextmanager
def webhook(folder: Path) -> Iterator[Webhook]:
    """Run the webhook program on no planes."""
    for name in ("manifests", "certs", "state"):
        (folder / name).mkdir()
    (folder / "manifests" / "shop.json").write_bytes(orjson.dumps(_NAMESPACE))
    port = free_port()
    command = python_module(
        *("webhook", "--standalone", str(folder / "manifests"), "--listen", f"127.0.0.1:{port}"),
        *("--cert-dir", str(folder / "certs"), "--state-dir", str(folder / "state")),
    )

    def is_ready() -> bool:
        try:
            return _ask(Webhook(0, port, folder / "certs" / "ca.crt").connect(HOST))
        except OSError:
            return False

    with running(command, folder / "log", is_ready) as process:
        yield Webhook(process.pid, port, folder / "certs" / "ca.crt")


def _ask(connection: http.client.HTTPSConnection) -> bool:
    """Ask for one review of about 10 kB; report whether it was answered."""
    pod = pod_object(annotations={"filler": "x" * 10_000})
    body = orjson.dumps(review_object(pod))
    try:
        connection.request("POST", "/mutate/pods", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return answer.status == 200


class Reviewer:
    """Asks reviews one after the other: mostly over a kept connection, some over new ones.

    Args:
        source: the address it asks from.

    Attributes:
        seconds: what each review took, with those that were asked again.
        failures: how often one was asked again.
    """

    def __init__(self, target: Webhook, source: str) -> None:
        self._target = target
        self._source = source
        self.seconds: list[float] = []
        self.failures = 0

    def ask_until(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        kept, number = self._target.connect(self._source), 0
        while not stop.wait(_PAUSE_SECONDS):
            number += 1
            is_new = number % _NEW_EACH == 0
            connection = self._target.connect(self._source) if is_new else kept
            self._ask_once(connection)
            if is_new:
                connection.close()
        kept.close()

    def _ask_once(self, connection: http.client.HTTPSConnection) -> None:
        begun = time.monotonic()
        while not _ask(connection):
            self.failures += 1
            if time.monotonic() - begun > _GIVE_UP_SECONDS:
                break
        self.seconds.append(time.monotonic() - begun)

    def p99(self) -> float:
        """Return the time that 99 of 100 reviews kept."""
        found = sorted(self.seconds)
        return found[min(len(found) - 1, int(len(found) * 0.99))] if found else float("inf")

    def again(self) -> float:
        """Return how many were asked again, of one review."""
        return self.failures / len(self.seconds) if self.seconds else float("inf")


@dataclass
class Seen:
    """What happened while an attack went on: to two callers, and the most MiB of the webhook."""

    api_server: Reviewer
    neighbour: Reviewer
    mebibytes: float = 0.0


def observe(target: Webhook, seconds: float) -> Seen:
    """Ask reviews for a while, and on until there are enough."""
    seen = Seen(Reviewer(target, _API_SERVER), Reviewer(target, HOST))
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            seen.mebibytes = max(seen.mebibytes, resident_mebibytes(target.pid))

    callers = (seen.api_server, seen.neighbour)
    threads = [threading.Thread(target=watch)]
    threads += [threading.Thread(target=caller.ask_until, args=(stop,)) for caller in callers]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    time.sleep(seconds)
    while min(len(caller.seconds) for caller in callers) < _REVIEWS:
        if time.monotonic() - begun > _MOST_SECONDS:
            break
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    return seen


def attacked(target: Webhook, names: Sequence[str], seconds: float) -> Seen:
    """Observe while these attacks go on."""
    command = [sys.executable, "-m", "tests.attacks.peers", str(target.port)]
    command += ["--authority", str(target.authority), *names]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        time.sleep(1.5)  # until the attackers have their connections
        return observe(target, seconds)
    finally:
        process.kill()
        process.wait()


def measure() -> Iterable[Figure]:
    """Carry out each attack, then all at once, each on a webhook of its own."""
    together = [name for name in ATTACKS if name not in _APART]
    plans = [([name], attack.what, _SECONDS) for name, attack in ATTACKS.items()]
    plans.append((together, f"{len(together)} attacks on the port together", _TOGETHER_SECONDS))
    for names, what, seconds in plans:
        with tempfile.TemporaryDirectory() as folder, webhook(Path(folder)) as target:
            seen = attacked(target, names, seconds)
        yield Figure(what, "webhook's memory", seen.mebibytes, _RESIDENT_MIB, "MiB")
        yield Figure(what, "p99 of a review", seen.api_server.p99(), _P99_SECONDS, "s")
        yield Figure(what, "reviews asked again", seen.api_server.again(), _AGAIN, "")
        # All attacks together take the whole processor: a handshake then takes longer than an
        # honest peer may need, and connections of this address are the ones to end.
        is_of_speed = names is together
        again = seen.neighbour.again()
        yield Figure(
            what, "the same from the peers' address", again, _AGAIN_NEIGHBOUR, "", is_of_speed
        )
