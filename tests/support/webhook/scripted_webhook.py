"""A webhook over real TLS that answers what a test scripts, and keeps what it was asked."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from planes.model.errors import JsonObject
from tests.support.certificates import current, make_root, make_serving

Answer = JsonObject | bytes | int


def allowed(*patch: JsonObject, warnings: tuple[str, ...] = ()) -> JsonObject:
    """Return a response that lets the pod in."""
    response: JsonObject = {"allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
    if warnings:
        response["warnings"] = list(warnings)
    return response


def denied(message: str, code: int = 403) -> JsonObject:
    """Return a response that refuses the pod."""
    return {"allowed": False, "status": {"code": code, "message": message}}


class ScriptedWebhook:
    """Serves on 127.0.0.1; `answers` maps a path to a response, raw bytes or an HTTP status.

    Attributes:
        url: where it listens.
        ca: file of its CA.
        refused: names of pods that are refused whatever the answers say.
        reviews: (path, review) of every request, in order.
    """

    def __init__(self, directory: Path) -> None:
        root = make_root(current())
        pair = make_serving(root, current())
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(root.certificate.pem)
        files = (directory / "tls.crt", directory / "tls.key")
        files[0].write_bytes(pair.certificate.pem)
        files[1].write_bytes(pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self.answers: dict[str, Answer] = {}
        self.refused: set[str] = set()
        self.reviews: list[tuple[str, JsonObject]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body for a request."""
        review = json.loads(body)
        self.reviews.append((path, review))
        is_refused = review["request"]["name"] in self.refused
        scripted = denied("no") if is_refused else self.answers.get(path, allowed())
        if isinstance(scripted, int):
            return scripted, b"{}"
        if isinstance(scripted, bytes):
            return 200, scripted
        response = {"uid": review["request"]["uid"], **scripted}
        kind = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        return 200, json.dumps({**kind, "response": response}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer: Callable[[str, bytes], tuple[int, bytes]] = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                status, body = answer(self.path, self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Write no log: the test reads `reviews`."""

        return Handler


@contextmanager
def scripted_webhook(directory: Path) -> Iterator[ScriptedWebhook]:
    """Serve inside the block."""
    directory.mkdir(parents=True, exist_ok=True)
    webhook = ScriptedWebhook(directory)
    thread = threading.Thread(target=webhook.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield webhook
    finally:
        webhook.server.shutdown()
        thread.join()
        webhook.server.server_close()
