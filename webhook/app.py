"""Routes: which path answers what, and the order of checks before a body is believed.

Method, content type and size first, then the body within its deadline, then the review. A review
that can be read is answered with HTTP 200 whatever is wrong with the object or with us; nothing
here waits for anything but the body, and on a cluster a moment for a watch that is behind.
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
from webhook.answers import Prepared, line
from webhook.bodies import Bodies, RefusedError, check_size
from webhook.lane import Lane
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics
from webhook.mutate import mutate
from webhook.nads import validate_nad
from webhook.namespaces import mutate_namespace
from webhook.patience import Patience
from webhook.reporting import Reporter
from webhook.review import Answer, Errored, Review, encode, parse
from webhook.structure import check_structure, is_light
from webhook.turns import Turns
from webhook.validate import validate

_log = logging.getLogger(__name__)

Judge = Callable[[Review, Store], Answer]

JUDGES: Mapping[str, Judge] = {
    "/mutate/pods": mutate,
    "/validate/pods": validate,
    "/mutate/namespaces": mutate_namespace,
    "/validate/networkattachmentdefinitions": validate_nad,
}


class App:
    """Answers requests.

    Args:
        store: planes, namespaces and pods as last seen.
        reporter: told of every answer.
        unready: says why reviews must not be asked for now, beside an end that has come.
        judges: path to what answers its reviews.
        patience: waits where watched state is behind; None: what is known is all there is.
        clock: tells how fast bodies come; default: the machine's.
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
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._limits = limits
        self._reporter = reporter
        self._unready = unready
        self._judges = judges
        self._patience = patience
        self._bodies = Bodies(limits, metrics, clock or SystemClock())
        self._lane = Lane()
        self._turns = Turns(limits.connections)
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
            _check_head(request, self._limits.body_bytes)
            if request.content.is_eof():  # most bodies came together with their head
                body = request.content.read_nowait()
                check_size(body, self._limits.body_bytes)
                return await self._review(path, judge, body, request)
            async with self._bodies.arriving(request) as whole:
                return await self._review(path, judge, whole, request)
        except RefusedError as refused:
            self._metrics.refused("overload" if refused.http_status == 503 else "body")
            return line(str(refused), refused.http_status, closes=True)
        except BadInput as error:
            self._metrics.count[path, "unreadable"]()
            return line(str(error), 400, closes=self._is_draining)

    async def _review(
        self, path: str, judge: Judge, body: bytes | bytearray, request: web.BaseRequest
    ) -> Prepared:
        limits = self._limits
        source = request.remote or ""
        if len(body) >= limits.large_bytes or not is_light(body, limits.containers):
            return await self._heavy_review(path, judge, body, source)

        patience = self._patience

        def look() -> Prepared | Review:
            started = perf_counter()
            review = parse(body)
            is_behind = patience is not None and patience.is_behind(review)
            return review if is_behind else self._answer(path, judge, review, started)

        def is_wanted() -> bool:
            return request.transport is not None

        found = await self._turns.run(source, look, is_wanted)
        if not isinstance(found, Review):
            return found
        if patience is not None:
            await patience.wait(found)
        answer = partial(self._answer, path, judge, found)
        return await self._turns.run(source, lambda: answer(perf_counter()), is_wanted)

    async def _heavy_review(
        self, path: str, judge: Judge, body: bytes | bytearray, source: str
    ) -> Prepared:
        """Answer in a thread; only one at a time is held as objects, and none while it waits."""
        check_structure(body, self._limits.values)
        patience = self._patience
        async with self._lane.turn(source):
            started = perf_counter()
            review = await asyncio.to_thread(parse, body)
            if patience is None or not patience.is_behind(review):
                return await asyncio.to_thread(self._answer, path, judge, review, started)
            review = replace(review, obj=None, old=None)
        await patience.wait(review)
        async with self._lane.turn(source):
            started = perf_counter()
            review = await asyncio.to_thread(parse, body)
            return await asyncio.to_thread(self._answer, path, judge, review, started)

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

    def _probe(self, request: web.BaseRequest, path: str) -> Prepared:
        if path not in {"/healthz", "/livez", "/readyz"}:
            return line(f"cannot find {path[:200]!a}", 404, closes=True)
        if request.method not in {"GET", "HEAD"}:
            return line("cannot answer: this path takes GET", 405, closes=True)
        reasons = self.unready() if path == "/readyz" else []
        if reasons:
            return line(f"not ready: {', '.join(reasons)}", 503, closes=self._is_draining)
        return line("ok", 200, closes=self._is_draining)


def _check_head(request: web.BaseRequest, limit: int) -> None:
    if request.method != "POST":
        raise RefusedError("cannot answer: this path takes POST", 405)
    kind = request.headers.get("Content-Type", "")
    if kind != "application/json" and kind.partition(";")[0].strip() != "application/json":
        raise RefusedError("cannot read the body: Content-Type must be application/json", 415)
    if request.content_length is None:
        # An API server says the length. Chunks of one byte cost the parser a call each.
        raise RefusedError("cannot read the body: its length is not said", 411)
    if request.content_length > limit:
        raise RefusedError(f"cannot read the body: it is larger than {limit} bytes", 413)
