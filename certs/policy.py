"""The rotation policy: the next step for certificates, from facts and a time; no I/O.

One step is taken at a time, and the facts are observed again before the next one.

Invariant: no chain is served that some API server does not trust. A new root is published beside
the old one, read back and given time to spread; only then does it sign; the old root is dropped
only when every replica serves a certificate of the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol


class Dated(Protocol):
    """Something that is valid between two times."""

    @property
    def not_before(self) -> datetime:
        """When validity begins."""
        ...

    @property
    def not_after(self) -> datetime:
        """When validity ends."""
        ...


@dataclass(frozen=True, slots=True)
class RootFacts:
    """A root that is kept; `can_sign` where its key is kept too."""

    id: str
    not_before: datetime
    not_after: datetime
    can_sign: bool = True


@dataclass(frozen=True, slots=True)
class ServingFacts:
    """The serving certificate that is kept, and the root that signed it."""

    id: str
    root: str
    not_before: datetime
    not_after: datetime
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The facts that were observed.

    Attributes:
        is_ours: false where somebody else (an operator, cert-manager, another replica) writes the
            certificates.
        roots: roots that are kept, oldest first.
        serving: the serving certificate that is kept; None where it is missing or unusable.
        trusted: roots that every webhook configuration has, and since when.
        lingering: roots that a webhook configuration still has and that are no longer kept.
        served: serving certificates that replicas report; "" stands for a replica that serves no
            valid one.
        used: roots of the certificate that this replica serves: API servers trust them already.
    """

    is_ours: bool = True
    roots: tuple[RootFacts, ...] = ()
    serving: ServingFacts | None = None
    trusted: Mapping[str, datetime] = field(default_factory=dict)
    lingering: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RenewalSettings:
    """When to renew, as a fraction of the lifetime; how long a new root takes to spread."""

    names: frozenset[str]
    renew_at: float = 2 / 3
    spread: timedelta = timedelta(seconds=60)
    look_again: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class CreateRoot:
    """Issue a root and keep it beside the others; it is not published yet."""


@dataclass(frozen=True, slots=True)
class TrustBoth:
    """Publish all roots that are kept, old and new, to every webhook configuration."""

    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaitTrusted:
    """Wait until a published root has spread; it may sign then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class IssueServing:
    """Issue a serving certificate signed by this root."""

    root: str


@dataclass(frozen=True, slots=True)
class WaitServed:
    """Wait until every replica serves a new certificate."""

    serving: str
    until: datetime


@dataclass(frozen=True, slots=True)
class DropOldRoot:
    """Remove all roots but these, also from the webhook configurations."""

    keep: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Idle:
    """Do nothing before then."""

    until: datetime


Step = CreateRoot | TrustBoth | WaitTrusted | IssueServing | WaitServed | DropOldRoot | Idle


@dataclass(frozen=True, slots=True)
class _View:
    """The facts at a time, as the rules query them."""

    now: datetime
    facts: CertificateFacts
    settings: RenewalSettings

    def is_valid(self, what: Dated) -> bool:
        return what.not_before <= self.now < what.not_after

    def renewal(self, what: Dated) -> datetime:
        return what.not_before + (what.not_after - what.not_before) * self.settings.renew_at

    def is_due(self, what: Dated) -> bool:
        return self.now >= self.renewal(what)

    @property
    def is_serving(self) -> bool:
        """Whether there is a serving certificate that API servers accept now."""
        serving = self.facts.serving
        return serving is not None and self.is_valid(serving) and serving.root in self.facts.trusted

    def settles_at(self, root: RootFacts) -> datetime:
        # Where no replica serves anything, waiting has no use. A root in use is trusted already,
        # however lately this replica has read that.
        serving = self.facts.serving
        is_in_use = root.id in self.facts.used or (serving is not None and serving.root == root.id)
        is_shown = self.is_serving or any(self.facts.served)
        spread = self.settings.spread if is_shown and not is_in_use else timedelta()
        return self.facts.trusted[root.id] + spread

    @property
    def signer(self) -> RootFacts | None:
        """The newest root that may sign now."""
        for root in reversed(self.facts.roots):
            if root.can_sign and self.is_valid(root) and root.id in self.facts.trusted:
                # A date in the future comes from a clock that was set back: do not wait for it.
                since = self.facts.trusted[root.id]
                if since > self.now or self.now >= self.settles_at(root):
                    return root
        return None


def _leave_alone(view: _View) -> Step | None:
    return None if view.facts.is_ours else Idle(view.now + view.settings.look_again)


def _create_root(view: _View) -> Step | None:
    newest = view.facts.roots[-1] if view.facts.roots else None
    if newest and newest.can_sign and view.is_valid(newest) and not view.is_due(newest):
        return None
    return CreateRoot()


def _trust_both(view: _View) -> Step | None:
    kept = tuple(root.id for root in view.facts.roots)
    return None if all(root in view.facts.trusted for root in kept) else TrustBoth(kept)


def _issue_serving(view: _View) -> Step | None:
    serving, signer = view.facts.serving, view.signer
    if signer is None:
        return None
    is_fresh = (
        serving is not None
        and view.is_serving
        and serving.names == view.settings.names
        and not view.is_due(serving)
        and serving.root == signer.id
    )
    return None if is_fresh else IssueServing(signer.id)


def _wait_trusted(view: _View) -> Step | None:
    newest = view.facts.roots[-1]
    signer = view.signer
    if signer is not None and signer.id == newest.id:
        return None
    return WaitTrusted(view.settles_at(newest))


def _wait_served(view: _View) -> Step | None:
    serving = view.facts.serving
    if serving is None or view.facts.served == {serving.id}:
        return None
    return WaitServed(serving.id, view.now + view.settings.look_again)


def _drop_old_root(view: _View) -> Step | None:
    newest = view.facts.roots[-1].id
    if len(view.facts.roots) == 1 and not view.facts.lingering:
        return None
    return DropOldRoot((newest,))


# In this order; the first rule that returns a step decides. Each relies on those above it: below
# `_trust_both` every kept root is trusted, below `_wait_trusted` the newest root has signed the
# kept certificate, below `_wait_served` every replica serves it.
_RULES: tuple[Callable[[_View], Step | None], ...] = (
    _leave_alone,
    _create_root,
    _trust_both,
    _issue_serving,
    _wait_trusted,
    _wait_served,
    _drop_old_root,
)


def decide(now: datetime, facts: CertificateFacts, settings: RenewalSettings) -> Step:
    """Return the next step; it depends on the arguments alone."""
    view = _View(now, facts, settings)
    for rule in _RULES:
        step = rule(view)
        if step is not None:
            return step
    due = [view.renewal(each) for each in (facts.roots[-1], facts.serving) if each is not None]
    return Idle(min(due))
