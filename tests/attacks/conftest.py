"""Fixtures of attacks on a real node; those of the daemon's own kernel tests."""

from __future__ import annotations

from tests.cni.conftest import daemon, here

__all__ = ["daemon", "here"]
