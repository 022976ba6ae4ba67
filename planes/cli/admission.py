"""Asking the webhook about a new pod as an API server does: AdmissionReview v1 over TLS.

Invariant: the webhook is verified with the given CA. A response to another request, or one that
is no review, admits nothing.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import socket
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from planes.model.errors import BadInput, Denied, JsonObject, PlanesError, Unavailable
from planes.model.lines import printable
from planes.model.patch import apply
from planes.run.files import read_regular

# The API server's own limit for one webhook call is 30 s, its default 10 s.
TIMEOUT_SECONDS: Final = 10.0
_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_MAX_CA_BYTES: Final = 1024 * 1024
_POD_KIND: Final = {"group": "", "version": "v1", "kind": "Pod"}
_POD_RESOURCE: Final = {"group": "", "version": "v1", "resource": "pods"}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A pod as the webhook admitted it, and the webhook's warnings."""

    pod: JsonObject
    warnings: tuple[str, ...] = ()


class Admission:
    """The webhook at a URL, trusted by a CA file.

    Raises:
        BadInput: the URL or the CA file cannot be used.
    """

    def __init__(self, url: str, ca_file: str) -> None:
        parts = urlsplit(url)
        try:
            port = 443 if parts.port is None else parts.port
        except ValueError:
            port = 0
        if parts.scheme != "https" or not parts.hostname or not port:
            raise BadInput(
                f"cannot use {url} as the webhook's URL",
                remedy="give --webhook https://HOST:PORT, it speaks nothing but TLS",
            )
        self._url = url
        self._host, self._port, self._base = parts.hostname, port, parts.path.rstrip("/")
        self._context = _trust(ca_file)

    def admit(self, pod: JsonObject) -> Admitted:
        """Send a pod to `/mutate/pods`, apply the patch, and send the result to `/validate/pods`.

        Raises:
            Denied: the webhook refuses the pod, with its reasons.
            Unavailable: the webhook cannot be reached, or the response is no review.
        """
        mutated = self._review("/mutate/pods", pod)
        if mutated.get("patch"):
            pod = _patched(pod, mutated, self._url)
        validated = self._review("/validate/pods", pod)
        warnings = [*(mutated.get("warnings") or ()), *(validated.get("warnings") or ())]
        return Admitted(pod, tuple(dict.fromkeys(str(text) for text in warnings)))

    def _review(self, path: str, pod: JsonObject) -> JsonObject:
        request = review_request(pod)
        answer = self._post(path, request)
        response = answer.get("response")
        if not isinstance(response, dict) or response.get("uid") != request["request"]["uid"]:
            raise self._unusable("its answer is not about our request")
        if response.get("allowed") is not True:
            raise _refusal(pod, response)
        return response

    def _post(self, path: str, body: JsonObject) -> JsonObject:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._context
        )
        try:
            connection.request(
                "POST",
                f"{self._base}{path}",
                body=orjson.dumps(body),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
            )
            response = connection.getresponse()
            data = response.read(_MAX_ANSWER_BYTES)
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(
                f"cannot trust the webhook at {self._url}: {error.verify_message}",
                remedy="give the ca.crt of its --cert-dir as --ca",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"cannot reach the webhook at {self._url}: {_cause(error)}",
                remedy="start it with netplane-webhook --standalone DIR, or correct --webhook",
            ) from error
        finally:
            connection.close()
        if response.status != 200:
            raise self._unusable(f"it answers HTTP {response.status} to {path}")
        return self._decode(data)

    def _decode(self, data: bytes) -> JsonObject:
        try:
            answer = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise self._unusable("its answer is no JSON") from error
        if not isinstance(answer, dict):
            raise self._unusable("its answer is no review")
        return answer

    def _unusable(self, cause: str) -> Unavailable:
        return Unavailable(
            f"cannot use the webhook at {self._url}: {cause}",
            remedy="look at its log; is it the netplane webhook that listens there?",
        )


def review_request(pod: JsonObject) -> JsonObject:
    """Make the review of a pod's creation (admission.k8s.io/v1)."""
    meta: Mapping[str, Any] = pod["metadata"]
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": _POD_KIND,
            "resource": _POD_RESOURCE,
            "requestKind": _POD_KIND,
            "requestResource": _POD_RESOURCE,
            "name": meta["name"],
            "namespace": meta["namespace"],
            "operation": "CREATE",
            "userInfo": {"username": "netplane:cli", "groups": ["system:masters"]},
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        read_regular(ca_file, _MAX_CA_BYTES, follows=True)  # ssl would wait for ever at a FIFO
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        is_empty = isinstance(error, ssl.SSLError)
        cause = "it holds no certificate" if is_empty else error.strerror or str(error)
        raise BadInput(
            f"cannot read the CA file {ca_file}: {cause}",
            remedy="give the ca.crt that the webhook wrote to its --cert-dir as --ca",
        ) from error


def _patched(pod: JsonObject, response: JsonObject, url: str) -> JsonObject:
    try:
        operations = orjson.loads(base64.b64decode(response["patch"], validate=True))
        if isinstance(operations, list):
            return apply(operations, pod)
        cause: Exception | None = None
    except (binascii.Error, ValueError, TypeError, AttributeError, PlanesError) as error:
        cause = error
    raise Unavailable(
        f"cannot use the webhook at {url}: its patch does not fit the pod",
        remedy="look at its log",
    ) from cause


def _refusal(pod: JsonObject, response: JsonObject) -> Denied:
    meta = pod["metadata"]
    status = response.get("status")
    status = status if isinstance(status, dict) else {}
    reasons = _reasons(status) or str(status.get("message") or "it gives no reason")
    return Denied(
        f"cannot create pod {meta['namespace']}/{meta['name']}: the webhook refuses it",
        remedy=reasons,
    )


def _reasons(status: JsonObject) -> str:
    """Return each of several causes on a line of its own; "" where there is only one text."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if not isinstance(causes, list) or len(causes) < 2:
        return ""
    lines = [_line(cause) for cause in causes if isinstance(cause, dict)]
    return "\n".join(lines) if len(lines) == len(causes) else ""


def _line(cause: JsonObject) -> str:
    where = str(cause.get("field") or "")
    text = " ".join(f"{where}: {cause.get('message')}".removeprefix(": ").split())
    return printable(text)


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
