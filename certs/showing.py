"""What this replica shows: the pair that is kept, as soon as verifiers accept it.

Each replica judges by itself, whoever wrote the Secret: while what it shows is trusted, it goes
over to a chain of another root only when every webhook configuration was seen to trust that root
for as long as trust takes to spread. A pair that is broken or not trusted never replaces one that
is good. Durations run by the monotonic clock, so a clock that is set does not shorten them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from certs.bundle import Bundle, Certificate, Pair, verify
from certs.facts import described
from certs.metrics import CertificateMetrics
from certs.secret import Found
from certs.serving import RotatingContext
from certs.verifiers import Seen
from planes.model.errors import BadInput
from planes.run.clock import Clock

_log = logging.getLogger(__name__)


class Showing:
    """Decides what the listener's context is given.

    Args:
        context: shown a pair as soon as verifiers accept it.
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
        """What new handshakes get."""
        return self._context.pair

    @property
    def root(self) -> Certificate | None:
        """The root behind what is shown; None where nothing is, or we know of none."""
        return self._root

    def shown(self, now: datetime) -> str:
        """Name the certificate that is shown; "" where none is that is valid."""
        pair = self._context.pair
        return pair.certificate.id if pair and pair.certificate.is_valid_at(now) else ""

    def trusted(self, now: datetime) -> Mapping[Certificate, datetime]:
        """Tell which roots every configuration trusts, and since when as seen from here."""
        at = self._clock.monotonic()
        return {root: now - timedelta(seconds=at - since) for root, since in self._since.items()}

    def is_trusted(self) -> bool:
        """Tell whether what is shown is valid and, as last seen, trusted by every configuration."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        is_trusted = bool(self.shown(now)) and self._root in self._since
        self._metrics.trusted(is_trusted=is_trusted)
        return is_trusted

    def look(self, found: Found, seen: Seen, now: datetime) -> Pair | None:
        """Take note of who trusts what, and show what is kept if that is right; the pair kept.

        None where what is kept cannot be used at all.
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
                self._consider(pair, kept, now)
            except BadInput as exc:
                pair = None
                problems.append(exc)
        self._tell(problems)
        self.is_trusted()
        return pair

    def _consider(self, pair: Pair, roots: tuple[Certificate, ...], now: datetime) -> None:
        if not roots:
            raise BadInput(
                f"cannot use the certificate of {self._what}: there is no root to check it with"
            )
        verify(pair, roots, now, f"the certificate of {self._what}")
        root = Bundle(roots).issuer_of(pair.certificate)
        if pair == self._context.pair or not self._may_show(root, now):
            return
        self._context.swap(pair)
        self._root = root
        self._metrics.served(pair.certificate.not_after)
        _log.info("certificate served", extra=described(pair.certificate))

    def _may_show(self, root: Certificate | None, now: datetime) -> bool:
        if not self.shown(now) or self._root not in self._since:
            return True  # nothing to lose
        if root is None or root not in self._since:
            return False
        has_spread = self._clock.monotonic() - self._since[root] >= self._spread
        return root == self._root or has_spread

    def _tell(self, problems: list[BadInput]) -> None:
        text = "; ".join(each.message for each in problems)
        if text and text != self._refused:
            self._metrics.refused()
            _log.warning("certificate refused", extra={"reason": text})
        self._refused = text
