"""Reservations: addresses that a plane keeps for certain pods."""

from __future__ import annotations

from dataclasses import dataclass

from planes.model.addresses import IPAddress
from planes.model.objects import Pod


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address kept for certain pods: of a namespace, an owner, a replica number."""

    address: IPAddress
    namespace: str
    owner: str = ""
    ordinal: int | None = None

    @property
    def is_by_owner(self) -> bool:
        """Whether it depends on the owner that a pod names."""
        return bool(self.owner) or self.ordinal is not None

    def is_for(self, pod: Pod) -> bool:
        """Report whether a pod may have it; a pod with a doubtful owner by its name alone."""
        is_named = self.owner == pod.name and self.ordinal is None
        if pod.owner_doubt and self.is_by_owner and not is_named:
            return False
        return (
            pod.namespace == self.namespace
            and (not self.owner or self.owner in pod.owners)
            and (self.ordinal is None or self.ordinal == pod.ordinal)
        )

    def __str__(self) -> str:
        whose = f"{self.namespace}/{self.owner or '*'}"
        return whose if self.ordinal is None else f"{whose} ordinal {self.ordinal}"
