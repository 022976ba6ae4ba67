"""Routes: which path answers what, and the order of checks before a body is believed.

Method, content type and size first, then the body within its deadline, then the review. A review
that can be read is answered with HTTP 200 whatever is wrong with the object or with us; nothing
here waits for anything but the body, and on a cluster a moment for a watch that is behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

from aiohttp import web

from planes.model.errors import BadInput, Internal, PlanesError
from planes.store.protocol import Store
from webhook.answers import Prepared, line
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics
from webhook.mutate import mutate
from webhook.nads import validate_nad
from webhook.namespaces import mutate_namespace
from webhook.patience import Patience
from webhook.reporting import Reporter
from webhook.review import Answer, Errored, Review, encode, parse
from webhook.validate import validate

_log = logging.getLogger(__name__)

Judge = Callable[[Review, Store], Answer]

JUDGES: Mapping[str, Judge] = {
    "/mutate/pods": mutate,
    "/validate/pods": validate,
    "/mutate/namespaces": mutate_namespace,
    "/validate/networkattachmentdefinitions": validate_nad,
}


class RefusedError(PlanesError):
    """The request is turned away before there is a review."""

    def __init__(self, message: str, http_status: int, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.http_status = http_status


class App:
    """Answers requests.

    Args:
        store: planes, namespaces and pods as last seen.
        reporter: told of every answer.
        unready: says why reviews must not be asked for now, beside an end that has come.
        judges: path to what answers its reviews.
        patience: waits where watched state is behind; None: what is known is all there is.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: ReviewMetrics,
        limits: Limits,
        reporter: Reporter,
        unready: Callable[[], Sequence[str]],
        judges: Mapping[str, Judge] = JUDGES,
        patience: Patience | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._limits = limits
        self._reporter = reporter
        self._unready = unready
        self._judges = judges
        self._patience = patience
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
        started = perf_counter()
        is_large = len(body) >= self._limits.large_bytes
        try:
            review = await asyncio.to_thread(parse, body) if is_large else parse(body)
        except BadInput as error:
            self._metrics.count[path, "unreadable"]()
            return line(str(error), 400, closes=self._is_draining)
        if self._patience is not None and self._patience.is_behind(review):
            await self._patience.wait(review)
        if is_large:
            return await asyncio.to_thread(self._answer, path, judge, review, started)
        return self._answer(path, judge, review, started)

    def unready(self) -> list[str]:
        """Say why this replica must not be asked; empty when it may."""
        reasons = ["it is shutting down"] if self._is_draining else []
        reasons += self._unready()
        self._metrics.ready.set(not reasons)
        return reasons

    def _answer(self, path: str, judge: Judge, review: Review, started: float) -> Prepared:
        try:
            answer = judge(review, self._store)
        except Exception as error:
            _log.exception("review failed", extra={"path": path, "review": review.uid})
            cause = type(error).__name__
            answer = Errored(Internal(f"cannot judge the object: {cause} (see the webhook's log)"))
        payload = encode(review, answer)
        self._metrics.observe[path](perf_counter() - started)
        self._metrics.count[path, type(answer).__name__.lower()]()
        self._reporter.answered(path, review, answer)
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
