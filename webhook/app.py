"""Routes of admission: which handler answers a path, and the checks before a review is parsed.

Method, content type and size are checked first, then the body is read within its deadline, then
the review. A review that can be read is answered with HTTP 200, whatever is wrong with the object
or with us. A request waits for its body alone, and on a cluster briefly for a watch that is behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

from aiohttp import web

from planes.model.errors import BadInput, Internal
from planes.run.clock import Clock, SystemClock
from planes.store.protocol import Store
from webhook.heavy_reviews import HeavyReviews
from webhook.limits import AdmissionLimits
from webhook.metrics import ReviewMetrics
from webhook.mutate import mutate
from webhook.nads import validate_nad
from webhook.namespaces import mutate_namespace
from webhook.planes import validate_plane
from webhook.prepared_response import PreparedResponse, text_response
from webhook.request_bodies import RefusedError, RequestBodies, check_size
from webhook.review import Answer, Errored, Review, encode, parse
from webhook.review_log import ReviewLog
from webhook.review_queue import ReviewQueue
from webhook.structure import check_structure, is_light
from webhook.validate import validate
from webhook.watch_lag import WatchLag

_log = logging.getLogger(__name__)

ReviewHandler = Callable[[Review, Store], Answer]
AnswerHandler = Callable[[str, Review, Answer], None]
"""Called with every answer and its path; must not raise. Several threads may call it."""

HANDLERS: Mapping[str, ReviewHandler] = {
    "/mutate/pods": mutate,
    "/validate/pods": validate,
    "/mutate/namespaces": mutate_namespace,
    "/validate/networkattachmentdefinitions": validate_nad,
    "/validate/planes": validate_plane,
}


class App:
    """Answers requests.

    Args:
        store: planes, namespaces and pods as last seen.
        review_log: logs answers.
        unready: returns why this replica must not get reviews, other than shutting down.
        handlers: handler of reviews by path.
        watch_lag: waits where watched state is behind; None where nothing is watched.
        clock: measures how fast bodies arrive; default: the machine's.
        on_answer: called with every answer.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: ReviewMetrics,
        limits: AdmissionLimits,
        review_log: ReviewLog,
        unready: Callable[[], Sequence[str]],
        handlers: Mapping[str, ReviewHandler] = HANDLERS,
        watch_lag: WatchLag | None = None,
        clock: Clock | None = None,
        on_answer: AnswerHandler | None = None,
    ) -> None:
        self._on_answer = on_answer
        self._store = store
        self._metrics = metrics
        self._limits = limits
        self._review_log = review_log
        self._unready = unready
        self._handlers = handlers
        self._watch_lag = watch_lag
        self._bodies = RequestBodies(limits, metrics, clock or SystemClock())
        self._heavy_reviews = HeavyReviews()
        self._queue = ReviewQueue(limits.connections)
        self._is_draining = False
        # Computed at each scrape: readiness may have changed since the last probe.
        metrics.ready.set_function(lambda: float(not self.unready()))

    def drain(self) -> None:
        """Become unready, and close each connection after its next answer."""
        self._is_draining = True

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        handler = self._handlers.get(path)
        if handler is None:
            return self._probe(request, path)
        try:
            _check_head(request, self._limits.body_bytes)
            if request.content.is_eof():  # most bodies came together with their head
                body = request.content.read_nowait()
                check_size(body, self._limits.body_bytes)
                return await self._review(path, handler, body, request)
            async with self._bodies.received(request) as whole:
                return await self._review(path, handler, whole, request)
        except RefusedError as refused:
            self._metrics.refused("overload" if refused.http_status == 503 else "body")
            return text_response(str(refused), refused.http_status, closes=True)
        except BadInput as error:
            self._metrics.count[path, "unreadable"]()
            return text_response(str(error), 400, closes=self._is_draining)

    async def _review(
        self, path: str, handler: ReviewHandler, body: bytes | bytearray, request: web.BaseRequest
    ) -> PreparedResponse:
        limits = self._limits
        source = request.remote or ""
        if len(body) >= limits.large_bytes or not is_light(body, limits.containers):
            return await self._heavy_review(path, handler, body, source)

        watch_lag = self._watch_lag

        def answer_if_current() -> PreparedResponse | Review:
            started = perf_counter()
            review = parse(body)
            is_behind = watch_lag is not None and watch_lag.is_behind(review)
            return review if is_behind else self._answer(path, handler, review, started)

        def is_connected() -> bool:
            return request.transport is not None

        found = await self._queue.run(source, answer_if_current, is_connected)
        if not isinstance(found, Review):
            return found
        if watch_lag is not None:
            await watch_lag.wait(found)
        answer = partial(self._answer, path, handler, found)
        return await self._queue.run(source, lambda: answer(perf_counter()), is_connected)

    async def _heavy_review(
        self, path: str, handler: ReviewHandler, body: bytes | bytearray, source: str
    ) -> PreparedResponse:
        """Answer in a thread; one review at a time is kept parsed, and none while it waits."""
        check_structure(body, self._limits.values)
        watch_lag = self._watch_lag
        async with self._heavy_reviews.turn(source):
            started = perf_counter()
            review = await asyncio.to_thread(parse, body)
            if watch_lag is None or not watch_lag.is_behind(review):
                return await asyncio.to_thread(self._answer, path, handler, review, started)
            review = replace(review, obj=None, old=None)
        await watch_lag.wait(review)
        async with self._heavy_reviews.turn(source):
            started = perf_counter()
            review = await asyncio.to_thread(parse, body)
            return await asyncio.to_thread(self._answer, path, handler, review, started)

    def unready(self) -> list[str]:
        """Return why this replica must not get reviews; empty where it may."""
        reasons = ["it is shutting down"] if self._is_draining else []
        return [*reasons, *self._unready()]

    def _answer(
        self, path: str, handler: ReviewHandler, review: Review, started: float
    ) -> PreparedResponse:
        try:
            answer = handler(review, self._store)
        except Exception as error:
            _log.exception("review failed", extra={"path": path, "review": review.uid})
            cause = type(error).__name__
            answer = Errored(Internal(f"cannot judge the object: {cause} (see the webhook's log)"))
        payload = encode(review, answer)
        self._metrics.observe[path](perf_counter() - started)
        self._metrics.count[path, answer.verdict]()
        self._review_log.answered(path, review, answer)
        if self._on_answer is not None:
            self._on_answer(path, review, answer)
        return PreparedResponse(payload, closes=self._is_draining)

    def _probe(self, request: web.BaseRequest, path: str) -> PreparedResponse:
        if path not in {"/healthz", "/livez", "/readyz"}:
            return text_response(f"cannot find {path[:200]!a}", 404, closes=True)
        if request.method not in {"GET", "HEAD"}:
            return text_response("cannot answer: this path takes GET", 405, closes=True)
        reasons = self.unready() if path == "/readyz" else []
        if reasons:
            return text_response(f"not ready: {', '.join(reasons)}", 503, closes=self._is_draining)
        return text_response("ok", 200, closes=self._is_draining)


def _check_head(request: web.BaseRequest, limit: int) -> None:
    if request.method != "POST":
        raise RefusedError("cannot answer: this path takes POST", 405)
    kind = request.headers.get("Content-Type", "")
    if kind != "application/json" and kind.partition(";")[0].strip() != "application/json":
        raise RefusedError("cannot read the body: Content-Type must be application/json", 415)
    if request.content_length is None:
        # An API server sends the length. Chunks of one byte cost the parser a call each.
        raise RefusedError("cannot read the body: its length is not said", 411)
    if request.content_length > limit:
        raise RefusedError(f"cannot read the body: it is larger than {limit} bytes", 413)
