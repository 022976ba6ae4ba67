"""What the policy and the log are told of certificates."""

from __future__ import annotations

from collections.abc import Collection

from certs.bundle import Bundle, Certificate
from certs.policy import RootFacts, ServingFacts


def root_facts(bundle: Bundle, unfit: Collection[str] = ()) -> tuple[RootFacts, ...]:
    """Describe the roots in our keeping, in the order they were made; unfit ones cannot sign."""
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
    """Describe a serving certificate; its root is "" where we do not keep the one it comes from."""
    issuer = bundle.issuer_of(leaf)
    root = issuer.id if issuer else ""
    return ServingFacts(leaf.id, root, leaf.not_before, leaf.not_after, leaf.names)


def described(certificate: Certificate) -> dict[str, str]:
    """Give what a log line says of a certificate."""
    return {
        "certificate": certificate.id,
        "not_before": f"{certificate.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
    }
