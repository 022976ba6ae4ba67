"""The policy of serving: a replica serves the kept pair as soon as API servers trust it.

Each replica decides by itself, whoever wrote the Secret. While its certificate is trusted, it
changes to one of another root only when every webhook configuration has had that root for as long
as a root takes to spread. Durations are measured by the monotonic clock.

Invariant: a pair that is broken or not trusted never replaces a good one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from certs.bundle import Bundle, Certificate, Pair, verify
from certs.ca_bundles import WebhookConfigurations
from certs.facts import described
from certs.metrics import CertificateMetrics
from certs.secret import SecretContent
from certs.serving import RotatingContext
from planes.model.errors import BadInput
from planes.run.clock import Clock

_log = logging.getLogger(__name__)


class ServingPolicy:
    """Decides which pair the listener's context serves.

    Args:
        context: the listener's.
        spread: how long a new root takes from the webhook configurations to every API server.
        what: names the Secret in errors and logs.
    """

    def __init__(
        self,
        context: RotatingContext,
        *,
        clock: Clock,
        metrics: CertificateMetrics,
        spread: timedelta,
        what: str,
    ) -> None:
        self._context = context
        self._clock = clock
        self._metrics = metrics
        self._spread = spread.total_seconds()
        self._what = what
        self._since: dict[Certificate, float] = {}
        self._root: Certificate | None = None
        self._refused = ""

    @property
    def pair(self) -> Pair | None:
        """The pair that new handshakes get."""
        return self._context.pair

    @property
    def root(self) -> Certificate | None:
        """The root of the served certificate; None where nothing is served, or no root is known."""
        return self._root

    def shown(self, now: datetime) -> str:
        """Return the id of the served certificate; "" where none is served that is valid."""
        pair = self._context.pair
        return pair.certificate.id if pair and pair.certificate.is_valid_at(now) else ""

    def trusted(self, now: datetime) -> Mapping[Certificate, datetime]:
        """Return the roots that every webhook configuration has, and since when, as seen here."""
        at = self._clock.monotonic()
        return {root: now - timedelta(seconds=at - since) for root, since in self._since.items()}

    def is_trusted(self) -> bool:
        """Report whether the served pair is valid and, as last read, trusted by every webhook."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        is_trusted = bool(self.shown(now)) and self._root in self._since
        self._metrics.trusted(is_trusted=is_trusted)
        return is_trusted

    def reconcile(
        self, found: SecretContent, seen: WebhookConfigurations, now: datetime
    ) -> Pair | None:
        """Serve the kept pair if it may be served now, and return it.

        None where it is missing or cannot be used.
        """
        at = self._clock.monotonic()
        common = frozenset() if seen.absent else seen.common
        self._since = {root: self._since.get(root, at) for root in common}
        kept = (*found.bundle.roots, *seen.all)
        if self._root is None and self._context.pair is not None:
            self._root = Bundle(kept).issuer_of(self._context.pair.certificate)
        pair, problems = found.bundle.serving, list(found.problems)
        if pair is not None:
            try:
                self._serve_if_trusted(pair, kept, now)
            except BadInput as exc:
                pair = None
                problems.append(exc)
        self._report(problems)
        self.is_trusted()
        return pair

    def _serve_if_trusted(self, pair: Pair, roots: tuple[Certificate, ...], now: datetime) -> None:
        if not roots:
            raise BadInput(
                f"cannot use the certificate of {self._what}: there is no root to check it with"
            )
        verify(pair, roots, now, f"the certificate of {self._what}")
        root = Bundle(roots).issuer_of(pair.certificate)
        if pair == self._context.pair or not self._may_serve(root, now):
            return
        self._context.swap(pair)
        self._root = root
        self._metrics.served(pair.certificate.not_after)
        _log.info("certificate served", extra=described(pair.certificate))

    def _may_serve(self, root: Certificate | None, now: datetime) -> bool:
        if not self.shown(now) or self._root not in self._since:
            return True  # nothing to lose
        if root is None or root not in self._since:
            return False
        has_spread = self._clock.monotonic() - self._since[root] >= self._spread
        return root == self._root or has_spread

    def _report(self, problems: list[BadInput]) -> None:
        text = "; ".join(each.message for each in problems)
        if text and text != self._refused:
            self._metrics.refused()
            _log.warning("certificate refused", extra={"reason": text})
        self._refused = text
