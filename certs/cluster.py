"""Certificates on a cluster: kept in a Secret, trusted by the webhook configurations.

Every replica reads the Secret, serves its pair and reports which certificate it serves; only the
leader changes anything. While no replica serves a certificate, each of them may, so that a first
start needs no leader. Updates carry the resourceVersion that was read: a replica whose update
conflicts reads again.

Invariant: no root is removed while a replica may serve a certificate of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certs import secret
from certs.bundle import Bundle, Certificate, Pair, verify
from certs.ca_bundles import CaBundles, WebhookConfigurations
from certs.facts import described, root_facts, serving_facts
from certs.issue import Lifetimes, issue_root, issue_serving
from certs.policy import CertificateFacts, CreateRoot, DropOldRoot, IssueServing, Step, TrustBoth
from certs.replicas import Replicas
from certs.serving_policy import ServingPolicy
from planes.kube.api import KubeApi
from planes.kube.resources import SECRETS
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound, Unavailable

_log = logging.getLogger(__name__)

SECRET: Final = "netplane-webhook-tls"  # noqa: S105 - a name, not a secret
CONFIGURATIONS: Final = "netplane"


@dataclass(frozen=True, slots=True)
class Issuing:
    """How certificates are issued: their names, lifetimes and serial numbers."""

    names: tuple[str, ...]
    lifetimes: Lifetimes
    serials: Callable[[], int]


@dataclass(frozen=True, slots=True)
class _Observation:
    """The objects as read last; updates go by their resourceVersion."""

    obj: JsonObject | None
    found: secret.SecretContent
    seen: WebhookConfigurations

    @property
    def bundle(self) -> Bundle:
        return self.found.bundle


class KubeAuthority:
    """Implements `certs.rotate.Authority` over a Secret and two webhook configurations.

    Args:
        namespace: of the Secret.
        is_leader: reports whether this replica leads now.
    """

    def __init__(
        self,
        api: KubeApi,
        *,
        namespace: str,
        issuing: Issuing,
        ca_bundles: CaBundles,
        replicas: Replicas,
        serving_policy: ServingPolicy,
        is_leader: Callable[[], bool],
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._issuing = issuing
        self._ca_bundles = ca_bundles
        self._replicas = replicas
        self._serving_policy = serving_policy
        self._is_leader = is_leader
        self._last = _Observation(None, secret.SecretContent(), WebhookConfigurations())
        self._good = Bundle()
        self._unfit: set[str] = set()

    async def observe(self, now: datetime) -> CertificateFacts:
        """Read the Secret and the configurations, serve the pair, report it, list other reports.

        Raises:
            PlanesError: the API server does not answer, or refuses.
        """
        if not self._replicas.has_reported:
            await self._replicas.report("", now)
        obj = await self._read()
        found = self._parse(obj)
        seen = await self._ca_bundles.read()
        pair = self._serving_policy.reconcile(found, seen, now)
        self._last = _Observation(obj, found, seen)
        if found.bundle.roots:
            self._good = found.bundle
        shown = self._serving_policy.shown(now)
        await self._replicas.report(shown, now)
        served = {shown}
        leads = self._is_leader()  # asked once: a replica that acts has listed the others
        if leads or not shown:
            served |= await self._replicas.others()
        return CertificateFacts(
            is_ours=leads or not any(served),
            roots=root_facts(found.bundle, self._unfit),
            serving=serving_facts(found.bundle, pair.certificate) if pair else None,
            trusted=self._trusted(now, is_shown=any(served)),
            lingering=frozenset(root.id for root in seen.all if root not in found.bundle.roots),
            served=frozenset(served),
            used=frozenset(
                {self._serving_policy.root.id} if shown and self._serving_policy.root else ()
            ),
        )

    async def act(self, step: Step, now: datetime) -> None:
        """Carry out one step; an update that conflicts changes nothing.

        Raises:
            PlanesError: the API server does not answer or refuses, or a webhook configuration
                does not exist.
        """
        match step:
            case CreateRoot():
                await self._create_root(now)
            case TrustBoth():
                await self._trust()
            case IssueServing(root):
                await self._issue(root, now)
            case DropOldRoot(keep):
                await self._drop(keep)
            case _:
                return

    def _trusted(self, now: datetime, *, is_shown: bool) -> Mapping[str, datetime]:
        seen = self._last.seen
        if seen.absent and not is_shown:
            # A first certificate does not wait for configurations that do not exist yet.
            roots = seen.common if seen.bundles else self._last.bundle.roots
            return {root.id: now for root in roots}
        trusted = self._serving_policy.trusted(now)
        return {root.id: since for root, since in trusted.items()}

    async def _create_root(self, now: datetime) -> None:
        bundle = self._last.bundle
        if not bundle.roots and self._good.roots:
            await self._restore()
            return
        root = issue_root(now, self._issuing.serials(), self._issuing.lifetimes)
        roots, keys = (*bundle.roots, root.certificate), (*_keys(bundle, bundle.roots), root.key)
        if await self._write(Bundle(roots, keys, bundle.serving)):
            _log.info("root created", extra=described(root.certificate))

    async def _restore(self) -> None:
        good, shown = self._good, self._serving_policy.pair
        serving = good.serving or self._if_issued(good, shown)
        if await self._write(Bundle(good.roots, good.keys, serving)):
            _log.warning("certificates were removed, writing them again", extra={"secret": SECRET})

    @staticmethod
    def _if_issued(bundle: Bundle, pair: Pair | None) -> Pair | None:
        return pair if pair and bundle.issuer_of(pair.certificate) else None

    async def _trust(self) -> None:
        seen = self._last.seen
        # A root that any webhook has stays: a replica may serve a certificate of it.
        roots = tuple(dict.fromkeys((*seen.all, *self._last.bundle.roots)))
        if await self._ca_bundles.publish(seen, roots):
            _log.info("roots published", extra={"roots": [root.id for root in roots]})
            return
        missing = " and ".join(kind.kind for kind in seen.absent) or "an entry of them"
        raise Unavailable(
            f"cannot have the webhook configurations {CONFIGURATIONS} trust us: "
            f"{missing} is not there",
            remedy="apply the manifests",
        )

    async def _issue(self, root_id: str, now: datetime) -> None:
        bundle, issuing = self._last.bundle, self._issuing
        root = bundle.signing_pair(root_id)
        if root is None:
            return
        try:
            pair = issue_serving(root, issuing.names, now, issuing.serials(), issuing.lifetimes)
            verify(pair, (root.certificate,), now, "what it would sign")
        except BadInput as exc:  # a root that others made: a new one takes its place
            self._unfit.add(root_id)
            _log.warning("root cannot sign", extra={"root": root_id, "reason": exc.message})
            return
        if await self._write(Bundle(bundle.roots, bundle.keys, pair)):
            _log.info("certificate issued", extra=described(pair.certificate))

    async def _drop(self, keep: tuple[str, ...]) -> None:
        bundle = self._last.bundle
        roots = tuple(root for root in bundle.roots if root.id in keep)
        rest = Bundle(roots, _keys(bundle, roots), bundle.serving)
        # The Secret first: a root in the configurations alone is dropped at the next step, but one
        # in the Secret alone would be published again.
        if roots != bundle.roots and not await self._write(rest):
            return
        await self._ca_bundles.publish(self._last.seen, roots)
        _log.info("old root dropped", extra={"kept": [root.id for root in roots]})

    async def _read(self) -> JsonObject | None:
        try:
            return await self._api.get(SECRETS, SECRET, namespace=self._namespace)
        except NotFound:
            return None

    def _parse(self, obj: JsonObject | None) -> secret.SecretContent:
        if obj is None:
            return secret.SecretContent()
        last = self._last
        if last.obj is not None and _version(last.obj) == _version(obj):
            return last.found
        return secret.read(obj, SECRET)

    async def _write(self, bundle: Bundle) -> bool:
        """Update the Secret that was read; return False where the update conflicts."""
        if self._last.obj is None:
            raise Unavailable(
                f"cannot keep certificates: Secret {self._namespace}/{SECRET} is not there",
                remedy="apply the manifests, which have it without data",
            )
        try:
            await self._api.replace(SECRETS, secret.write(self._last.obj, bundle))
        except (Conflict, NotFound):
            return False
        return True


def _version(obj: JsonObject) -> tuple[str, str]:
    metadata = obj["metadata"]
    return str(metadata.get("uid")), str(metadata.get("resourceVersion"))


def _keys(bundle: Bundle, roots: tuple[Certificate, ...]) -> tuple[bytes, ...]:
    pairs = [bundle.signing_pair(root.id) for root in roots]
    return tuple(pair.key for pair in pairs if pair is not None)
