"""Certificates of one process on one machine, kept in a directory.

Where the directory has a root key, or nothing, certificates are issued and renewed there; where
somebody else put a pair, it is served and read again when it changes. Either way the last good pair
is served while the files are broken, and a metric counts that.
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
    CertificateFacts,
    CreateRoot,
    DropOldRoot,
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
        names: DNS names and addresses of issued certificates.
        context: the listener's; it serves a pair as soon as the pair is valid.
        serials: returns a new serial number (`cryptography.x509.random_serial_number`).
        is_externally_managed: somebody else writes the directory, also while it is still empty.
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
        is_externally_managed: bool = False,
    ) -> None:
        self._directory = directory
        self._names = names
        self._context = context
        self._metrics = metrics
        self._lifetimes = lifetimes
        self._serials = serials
        self._bundle = Bundle()
        self._is_externally_managed = is_externally_managed
        self._trusted: dict[str, datetime] = {}
        self._refused = ""

    async def observe(self, now: datetime) -> CertificateFacts:
        """Read the directory, and serve its pair where that is new and valid.

        Raises:
            BadInput: the roots are broken, or an externally managed pair cannot be served and none
                was served before.
            Unavailable: a file cannot be read.
        """
        found = await asyncio.to_thread(files.read, self._directory)
        # Once externally managed, always: the files may be missing while they are replaced.
        self._is_externally_managed = self._is_externally_managed or not found.is_ours
        if not found.bundle.roots and not self._is_externally_managed and self._bundle.roots:
            found = await self._restore()
        self._bundle = bundle = found.bundle
        serving = self._serve(found, now)
        # Clients read ca.crt: a root counts as trusted from when it was seen there.
        self._trusted = {root.id: self._trusted.get(root.id, now) for root in bundle.roots}
        shown = self._context.pair
        issuer = bundle.issuer_of(shown.certificate) if shown else None
        return CertificateFacts(
            is_ours=not self._is_externally_managed,
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
                return  # clients read ca.crt: a root that is kept is published

    async def _restore(self) -> files.DirectoryContent:
        bundle = self._bundle
        _log.warning("certificates were removed, writing them again")
        await asyncio.to_thread(files.write_roots, self._directory, bundle.roots, bundle.keys)
        if bundle.serving is not None:
            await asyncio.to_thread(files.write_serving, self._directory, bundle.serving)
        return await asyncio.to_thread(files.read, self._directory)

    def _serve(self, found: files.DirectoryContent, now: datetime) -> ServingFacts | None:
        pair, problem = found.bundle.serving, found.broken
        if self._is_externally_managed and pair is None and problem is None:
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
            self._refuse(problem)
        return None if pair is None else serving_facts(found.bundle, pair.certificate)

    def _refuse(self, problem: BadInput) -> None:
        if self._is_externally_managed and self._context.pair is None:
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
