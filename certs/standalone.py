"""Certificates of one process on one machine: its directory is the only authority.

Where the directory holds our root key, or nothing, we sign and renew; where somebody else put a
pair there, we serve it and follow its changes. Either way the last good pair stays in service
while the files are broken, and a metric counts that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from certs import files
from certs.bundle import Bundle, verify
from certs.facts import described, root_facts, serving_facts
from certs.issue import Lifetimes, issue_root, issue_serving
from certs.metrics import CertificateMetrics
from certs.policy import (
    CreateRoot,
    DropOldRoot,
    Facts,
    IssueServing,
    ServingFacts,
    Step,
)
from certs.serving import RotatingContext
from planes.model.errors import BadInput

_log = logging.getLogger(__name__)


class DirectoryAuthority:
    """Implements `certs.rotate.Authority` over a certificate directory.

    Args:
        directory: where the files are; it exists.
        names: DNS names and addresses of what we issue.
        context: shown a pair as soon as it is found good.
        serials: gives a fresh serial number (`cryptography.x509.random_serial_number`).
        is_theirs: somebody else fills the directory, also where it is empty as yet: never write.
    """

    def __init__(
        self,
        directory: Path,
        names: tuple[str, ...],
        context: RotatingContext,
        *,
        metrics: CertificateMetrics,
        lifetimes: Lifetimes,
        serials: Callable[[], int],
        is_theirs: bool = False,
    ) -> None:
        self._directory = directory
        self._names = names
        self._context = context
        self._metrics = metrics
        self._lifetimes = lifetimes
        self._serials = serials
        self._bundle = Bundle()
        self._is_theirs = is_theirs
        self._trusted: dict[str, datetime] = {}
        self._refused = ""

    async def observe(self, now: datetime) -> Facts:
        """Read the directory, and put a good new pair into service.

        Raises:
            BadInput: the roots are broken, or a pair that is not ours cannot be served and
                nothing was served before.
            Unavailable: a file cannot be read.
        """
        found = await asyncio.to_thread(files.read, self._directory)
        # Once somebody else's, always: their files may be away for the moment of a replacement.
        self._is_theirs = is_theirs = self._is_theirs or not found.is_ours
        if not found.bundle.roots and not is_theirs and self._bundle.roots:
            found = await self._restore()
        self._bundle = bundle = found.bundle
        serving = self._serve(found, now, is_theirs=is_theirs)
        # Whoever trusts us reads ca.crt: what is in it is trusted, from when it was seen there.
        self._trusted = {root.id: self._trusted.get(root.id, now) for root in bundle.roots}
        shown = self._context.pair
        issuer = bundle.issuer_of(shown.certificate) if shown else None
        return Facts(
            is_ours=not is_theirs,
            roots=root_facts(bundle),
            serving=serving,
            trusted=self._trusted,
            served=frozenset({shown.certificate.id} if shown else ()),
            used=frozenset({issuer.id} if issuer else ()),
        )

    async def act(self, step: Step, now: datetime) -> None:
        """Carry out a step.

        Raises:
            Unavailable: the directory cannot be written.
        """
        match step:
            case CreateRoot():
                await self._create_root(now)
            case IssueServing(root):
                await self._issue(root, now)
            case DropOldRoot(keep):
                await self._keep(keep)
            case _:
                return  # ca.crt is what verifiers read: a root that is kept is published

    async def _restore(self) -> files.Found:
        bundle = self._bundle
        _log.warning("certificates were removed, writing them again")
        await asyncio.to_thread(files.write_roots, self._directory, bundle.roots, bundle.keys)
        if bundle.serving is not None:
            await asyncio.to_thread(files.write_serving, self._directory, bundle.serving)
        return await asyncio.to_thread(files.read, self._directory)

    def _serve(self, found: files.Found, now: datetime, *, is_theirs: bool) -> ServingFacts | None:
        pair, problem = found.bundle.serving, found.broken
        if is_theirs and pair is None and problem is None:
            problem = BadInput(f"cannot use {self._directory / files.CHAIN}: it is missing")
        if pair is not None:
            try:
                verify(pair, found.bundle.roots, now, f"{self._directory / files.CHAIN}")
                if pair != self._context.pair:
                    self._context.swap(pair)
                    self._metrics.served(pair.certificate.not_after)
                    _log.info("certificate served", extra=described(pair.certificate))
                self._refused = ""
            except BadInput as exc:
                pair, problem = None, exc
        if problem is not None:
            self._refuse(problem, is_theirs=is_theirs)
        return None if pair is None else serving_facts(found.bundle, pair.certificate)

    def _refuse(self, problem: BadInput, *, is_theirs: bool) -> None:
        if is_theirs and self._context.pair is None:
            raise problem
        if self._refused != problem.message:
            self._refused = problem.message
            self._metrics.refused()
            _log.warning("certificate refused", extra={"reason": str(problem)})

    async def _create_root(self, now: datetime) -> None:
        root = issue_root(now, self._serials(), self._lifetimes)
        bundle = self._bundle
        await asyncio.to_thread(
            files.write_roots,
            self._directory,
            (*bundle.roots, root.certificate),
            (*bundle.keys, root.key),
        )
        _log.info("root created", extra=described(root.certificate))

    async def _issue(self, root_id: str, now: datetime) -> None:
        root = self._bundle.signing_pair(root_id)
        if root is None:
            return
        pair = issue_serving(root, self._names, now, self._serials(), self._lifetimes)
        await asyncio.to_thread(files.write_serving, self._directory, pair)

    async def _keep(self, keep: tuple[str, ...]) -> None:
        bundle = self._bundle
        roots = [root for root in bundle.roots if root.id in keep]
        pairs = [bundle.signing_pair(root.id) for root in roots]
        keys = [pair.key for pair in pairs if pair is not None]
        await asyncio.to_thread(files.write_roots, self._directory, roots, keys)
        _log.info("old root dropped", extra={"kept": list(keep)})
