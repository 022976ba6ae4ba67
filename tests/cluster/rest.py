"""Single requests to a test's API server over a kept connection: milliseconds, unlike kubectl."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.apiserver import ApiServer

PLANES = "/apis/netplane.io/v1alpha1/planes"
NAMESPACES = "/api/v1/namespaces"
MANIFESTS = Path(__file__).parents[2] / "manifests"
SECONDS = 60.0
_IDLE_SECONDS = 60.0
"""An API server ends connections that were idle for 90 seconds."""
DRY_RUN = "?dryRun=All&fieldValidation=Strict"


def pods(namespace: str) -> str:
    """Return the path of a namespace's pods."""
    return f"{NAMESPACES}/{namespace}/pods"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API server answered."""

    status: int
    body: Mapping[str, Any]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The text of a refusal, "" otherwise."""
        return "" if self.is_success else str(self.body.get("message", ""))


class Rest:
    """Requests as one user, who may pose as others."""

    def __init__(self, server: ApiServer, user: str = "admin", *, token: str = "") -> None:
        trust = ssl.create_default_context(cafile=str(server.ca_file))
        self._connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trust)
        self._used = time.monotonic()
        self.token = token or server.token(user)

    def ask(
        self,
        method: str,
        path: str,
        obj: Mapping[str, Any] | None = None,
        *,
        user: str = "",
        groups: tuple[str, ...] = (),
        kind: str = "application/json",
    ) -> Reply:
        """Send one request, impersonating `user` where given."""
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._connection.close()  # it opens another one for the next request
        self._used = time.monotonic()
        try:
            return self._ask(method, path, obj, user, groups, kind)
        except BaseException:
            self._connection.close()  # else every further request fails
            raise

    def _ask(
        self,
        method: str,
        path: str,
        obj: Mapping[str, Any] | None,
        user: str,
        groups: tuple[str, ...],
        kind: str,
    ) -> Reply:
        self._connection.putrequest(method, path)
        self._connection.putheader("Authorization", f"Bearer {self.token}")
        if user:
            self._connection.putheader("Impersonate-User", user)
        for group in groups:
            self._connection.putheader("Impersonate-Group", group)
        body = json.dumps(obj).encode() if obj is not None else b""
        self._connection.putheader("Content-Type", kind)
        self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body)
        answer = self._connection.getresponse()
        text = answer.read()
        # A kind that is not served yet is answered in plain text.
        is_json = answer.headers.get_content_type() == "application/json"
        return Reply(answer.status, json.loads(text) if is_json else {"message": text.decode()})

    def create(self, path: str, obj: Mapping[str, Any], **who: Any) -> Reply:
        """Create an object."""
        return self.ask("POST", path, obj, **who)

    def try_out(self, path: str, obj: Mapping[str, Any], **who: Any) -> Reply:
        """Ask whether an object could be created, with unknown fields refused; nothing is kept."""
        return self.ask("POST", path + DRY_RUN, obj, **who)

    def merge(self, path: str, patch: Mapping[str, Any], **who: Any) -> Reply:
        """Change an object by a merge patch."""
        return self.ask("PATCH", path, patch, kind="application/merge-patch+json", **who)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def wait_for(ask: Callable[[], Reply], is_met: Callable[[Reply], bool]) -> Reply:
    """Ask again until the reply is as wanted: kinds, policies and roles take a moment."""
    end = time.monotonic() + SECONDS
    while not is_met(reply := ask()):
        assert time.monotonic() < end, f"still {reply.status} {reply.message}"
        time.sleep(0.1)
    return reply


def serve_planes(server: ApiServer, rest: Rest) -> None:
    """Install the CRD of planes; returns when planes are served."""
    server.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "base/crds/planes.yaml"))
    probe = {"apiVersion": "netplane.io/v1alpha1", "kind": "Plane", "metadata": {"name": "probe"}}
    wait_for(lambda: rest.try_out(PLANES, probe), lambda reply: reply.status == 422)
