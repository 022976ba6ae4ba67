"""Certificates of the webhook that are over, end soon or are not trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from planes.cli.doctor.diagnosis import Diagnosis, error, warning
from planes.cli.doctor.facts.certificates import SeenCertificate

_SOON_DAYS: Final = 7
"""It is renewed long before; with a week left something keeps it from that."""


def judge_certificates(seen: Iterable[SeenCertificate], now: datetime) -> Iterator[Diagnosis]:
    """Yield what is wrong with certificates."""
    look = (
        "kubectl -n netplane-system logs deploy/netplane-webhook | grep -i certificate; on one "
        "machine the log of netplane-webhook"
    )
    for one in seen:
        days = (one.not_after - now).days
        if now > one.not_after:
            yield error(
                f"{one.what} is over since {one.not_after:%Y-%m-%d}",
                "no API server or client gets a review: pods are decided on their node alone",
                look,
            )
        elif now < one.not_before:
            yield error(
                f"{one.what} is valid only from {one.not_before:%Y-%m-%d %H:%M} UTC",
                "no review until then; often a clock is wrong",
                "date -u; chronyc tracking",
            )
        elif days < _SOON_DAYS:
            yield warning(
                f"{one.what} ends in {_count(days)}",
                "it renews itself a month before; something keeps it from that",
                look,
            )
        if one.fault:
            yield error(
                f"{one.what} is not trusted: {one.fault}",
                "API servers refuse the webhook: pods are decided on their node alone",
                look,
            )


def _count(days: int) -> str:
    if days < 1:
        return "less than a day"
    return "1 day" if days == 1 else f"{days} days"
