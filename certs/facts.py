"""Facts about certificates, for the policy and the log."""

from __future__ import annotations

from collections.abc import Collection

from certs.bundle import Bundle, Certificate
from certs.policy import RootFacts, ServingFacts


def root_facts(bundle: Bundle, unfit: Collection[str] = ()) -> tuple[RootFacts, ...]:
    """Return facts about the roots of a bundle, oldest first; `unfit` ones cannot sign."""
    return tuple(
        RootFacts(
            root.id,
            root.not_before,
            root.not_after,
            can_sign=root.id not in unfit and bundle.signing_pair(root.id) is not None,
        )
        for root in bundle.roots
    )


def serving_facts(bundle: Bundle, leaf: Certificate) -> ServingFacts:
    """Return facts about a serving certificate; its root is "" where the bundle lacks it."""
    issuer = bundle.issuer_of(leaf)
    root = issuer.id if issuer else ""
    return ServingFacts(leaf.id, root, leaf.not_before, leaf.not_after, leaf.names)


def described(certificate: Certificate) -> dict[str, str]:
    """Return the fields of a log line about a certificate."""
    return {
        "certificate": certificate.id,
        "not_before": f"{certificate.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
    }
