"""Routes: which path answers what, and the order of checks before a body is believed.

Method, content type and size first, then the body within its deadline, then the review. A review
that can be read is answered with HTTP 200 whatever is wrong with the pod or with us; nothing here
waits for anything but the body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import perf_counter

from aiohttp import web

from planes.model.errors import BadInput, Internal, PlanesError
from planes.store.protocol import Store
from webhook.answers import Prepared, line
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics
from webhook.mutate import mutate
from webhook.review import Answer, Denied, Errored, Review, encode, parse
from webhook.validate import validate

_log = logging.getLogger(__name__)

Judge = Callable[[Review, Store], Answer]

JUDGES: Mapping[str, Judge] = {"/mutate/pods": mutate, "/validate/pods": validate}


class RefusedError(PlanesError):
    """The request is turned away before there is a review."""

    def __init__(self, message: str, http_status: int, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.http_status = http_status


class App:
    """Answers requests.

    Args:
        store: planes, namespaces and pods as last seen.
        is_served: tells whether a valid certificate is shown.
        judges: path to what answers its reviews.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: ReviewMetrics,
        limits: Limits,
        is_served: Callable[[], bool],
        judges: Mapping[str, Judge] = JUDGES,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._limits = limits
        self._is_served = is_served
        self._judges = judges
        self._unfinished = 0
        self._is_draining = False

    def drain(self) -> None:
        """Be unready from now on, and end each connection after its next answer."""
        self._is_draining = True

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        judge = self._judges.get(path)
        if judge is None:
            return self._probe(request, path)
        try:
            body = await self._body(request)
        except RefusedError as refused:
            self._metrics.refused("overload" if refused.http_status == 503 else "body")
            return line(str(refused), refused.http_status, closes=True)
        if len(body) < self._limits.large_bytes:
            return self._answer(path, judge, body)
        return await asyncio.to_thread(self._answer, path, judge, body)

    def unready(self) -> list[str]:
        """Say why this replica must not be asked; empty when it may."""
        reasons = []
        if self._is_draining:
            reasons.append("it is shutting down")
        if not self._store.is_synced:
            reasons.append("planes and namespaces have not been read yet")
        if not self._is_served():
            reasons.append("there is no valid certificate")
        self._metrics.ready.set(not reasons)
        return reasons

    def _answer(self, path: str, judge: Judge, body: bytes) -> Prepared:
        started = perf_counter()
        try:
            review = parse(body)
        except BadInput as error:
            self._metrics.count[path, "unreadable"]()
            return line(str(error), 400, closes=self._is_draining)
        try:
            answer = judge(review, self._store)
        except Exception as error:
            _log.exception("review failed", extra={"path": path, "review": review.uid})
            cause = type(error).__name__
            answer = Errored(Internal(f"cannot judge the pod: {cause} (see the webhook's log)"))
        payload = encode(review, answer)
        self._metrics.observe[path](perf_counter() - started)
        self._metrics.count[path, type(answer).__name__.lower()]()
        if isinstance(answer, Denied | Errored):
            _report(path, review, answer)
        return Prepared(payload, closes=self._is_draining)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if request.method != "POST":
            raise RefusedError("cannot answer: this path takes POST", 405)
        kind = request.headers.get("Content-Type", "")
        if kind != "application/json" and kind.partition(";")[0].strip() != "application/json":
            raise RefusedError("cannot read the body: Content-Type must be application/json", 415)
        limit = self._limits.body_bytes
        if (request.content_length or 0) > limit:
            raise RefusedError(f"cannot read the body: it is larger than {limit} bytes", 413)
        if request.content.is_eof():  # most bodies came together with their head
            body = request.content.read_nowait()
            _check_size(body, limit)
            return body
        if self._unfinished >= self._limits.unfinished:
            raise RefusedError("cannot read the body: too many are on their way", 503)
        self._unfinished += 1
        self._metrics.unfinished.inc()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await self._arriving(request, limit)
        except TimeoutError:
            seconds = self._limits.body_seconds
            raise RefusedError(
                f"cannot read the body: not here within {seconds:g} s", 408
            ) from None
        except web.RequestPayloadError as error:
            raise RefusedError("cannot read the body: it ended too early", 400) from error
        finally:
            self._unfinished -= 1
            self._metrics.unfinished.dec()

    async def _arriving(self, request: web.BaseRequest, limit: int) -> bytes:
        transport = request.transport
        if transport is not None and request.headers.get("Expect", "").lower() == "100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        while chunk := await request.content.readany():
            body += chunk
            _check_size(body, limit)
        return bytes(body)

    def _probe(self, request: web.BaseRequest, path: str) -> Prepared:
        if path not in {"/healthz", "/livez", "/readyz"}:
            return line(f"cannot find {path[:200]!a}", 404, closes=True)
        if request.method not in {"GET", "HEAD"}:
            return line("cannot answer: this path takes GET", 405, closes=True)
        reasons = self.unready() if path == "/readyz" else []
        if reasons:
            return line(f"not ready: {', '.join(reasons)}", 503, closes=self._is_draining)
        return line("ok", 200, closes=self._is_draining)


def _check_size(body: bytes | bytearray, limit: int) -> None:
    if len(body) > limit:
        raise RefusedError(f"cannot read the body: it is larger than {limit} bytes", 413)


def _report(path: str, review: Review, answer: Denied | Errored) -> None:
    if isinstance(answer, Denied):
        reasons = [str(finding) for finding in answer.findings[:8]]
    else:
        reasons = [str(answer.error)]
    _log.info(
        "review refused",
        extra={
            "path": path,
            "review": review.uid,
            "namespace": review.namespace,
            "pod": review.name,
            "dry_run": review.is_dry_run,
            "reasons": reasons,
        },
    )
