"""The reasons why a replica is not ready."""

from __future__ import annotations

from tests.support.store import FakeStore
from webhook.readiness import STALE_SECONDS, unready_reasons


def test_a_replica_that_knows_and_shows_all_is_ready() -> None:
    assert unready_reasons(FakeStore(), is_served=True, heard_seconds=STALE_SECONDS) == []


def test_what_is_not_read_yet_is_named_with_its_cause() -> None:
    store = FakeStore(is_synced=False)
    (reason,) = unready_reasons(store, is_served=True, unread=["planes (cannot list: 404)"])
    assert reason == "planes (cannot list: 404) have not been read yet"
    (reason,) = unready_reasons(store, is_served=True)
    assert reason == "planes and namespaces have not been read yet"


def test_a_certificate_that_nobody_trusts_is_none() -> None:
    (reason,) = unready_reasons(FakeStore(), is_served=False, lacking="valid and trusted")
    assert reason == "there is no valid and trusted certificate"


def test_knowledge_from_long_ago_is_not_enough() -> None:
    (reason,) = unready_reasons(FakeStore(), is_served=True, heard_seconds=STALE_SECONDS + 1)
    assert "nothing was heard of the API server for 301 s" in reason
