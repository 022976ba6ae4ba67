"""Certificates on a cluster when nothing goes wrong, or little: start, renewal, rotation."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from datetime import timedelta

import pytest

from certs.cluster import SECRET
from certs.managed import Replica
from certs.policy import Idle
from planes.kube.resources import LEASES, MUTATING_HOOKS, SECRETS
from planes.model.errors import Unavailable
from tests.support.certificates_cluster import NAMESPACE, Cluster, look_on
from tests.support.kube.interleaved import Interleaved

DAY = 86400.0


async def test_a_first_start_ends_with_a_pair_that_every_configuration_trusts() -> None:
    cluster = Cluster()
    one = cluster.replica("one")
    assert isinstance(await one.reconcile(), Idle)
    (root,) = cluster.kept.roots
    assert cluster.trusted() == [[root.id]] * 5
    assert cluster.kept.serving == one.shown
    assert one.is_trusted()
    assert one.metric("certificate_trusted") == 1


async def test_the_secret_is_one_that_other_tools_read() -> None:
    cluster = Cluster()
    one = cluster.replica("one")
    await one.reconcile()
    obj = cluster.secret
    assert obj["type"] == "Opaque"
    assert set(obj["data"]) == {"tls.crt", "tls.key", "ca.crt", "ca.key"}
    assert b64decode(obj["data"]["tls.crt"]) == one.shown.chain
    assert obj["metadata"]["annotations"]["netplane.io/serving"] == one.shown.certificate.id


async def test_the_certificate_is_for_the_names_of_the_service() -> None:
    replica = Replica("netplane-system", "netplane-webhook", "one", ("127.0.0.1",))
    assert replica.all_names == (
        "netplane-webhook.netplane-system.svc",
        "netplane-webhook.netplane-system.svc.cluster.local",
        "127.0.0.1",
    )
    cluster = Cluster()
    one = cluster.replica("one", names=("127.0.0.1",))
    await one.reconcile()
    assert one.shown.certificate.names == frozenset(replica.all_names)


async def test_everything_else_of_a_configuration_stays() -> None:
    cluster = Cluster()
    before = cluster.api.object(MUTATING_HOOKS, "netplane")
    await cluster.replica("one").reconcile()
    after = cluster.api.object(MUTATING_HOOKS, "netplane")
    assert before is not None
    assert after is not None
    for entry in after["webhooks"]:
        del entry["clientConfig"]["caBundle"]
    assert after["webhooks"] == before["webhooks"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]


async def test_a_new_replica_shows_what_is_kept_and_changes_nothing() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await one.reconcile()
    secret, trusted = cluster.secret, cluster.bundles()
    await two.reconcile()
    assert two.shown == one.shown
    assert two.is_trusted()
    assert (cluster.secret, cluster.bundles()) == (secret, trusted)


async def test_a_first_start_needs_no_leader() -> None:
    cluster = Cluster()
    one = cluster.replica("one")
    cluster.leader = "nobody yet"
    await one.reconcile()
    assert one.is_trusted()


@pytest.mark.parametrize("seed", range(20))
async def test_replicas_that_race_at_the_first_start_agree(seed: int) -> None:
    """Their requests interleave in any order; of those who create or write, one wins."""
    cluster = Cluster()
    apis = [Interleaved(cluster.api, seed * 4 + n) for n in range(4)]
    members = [cluster.replica(f"m{n}", api=api) for n, api in enumerate(apis)]
    cluster.leader = "nobody yet"
    await asyncio.gather(*(each.reconcile() for each in members))
    for each in members:
        await each.reconcile()
    assert len({each.shown.certificate.id for each in members}) == 1
    assert len(cluster.kept.roots) == 1
    assert all(each.is_trusted() for each in members)


async def test_only_the_leader_renews() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await one.reconcile()
    await two.reconcile()
    before = one.shown
    cluster.clock.advance(61 * DAY)
    await two.reconcile()
    assert cluster.kept.serving == before
    await one.reconcile()
    await two.reconcile()
    assert one.shown == two.shown != before
    assert cluster.kept.serving == one.shown


async def test_a_renewed_pair_is_shown_at_the_next_look() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await one.reconcile()
    await two.reconcile()
    cluster.clock.advance(61 * DAY)
    await one.reconcile()
    await look_on(cluster, two, seconds=10)
    assert two.shown == one.shown


async def test_a_root_is_succeeded_with_an_overlap_on_all_replicas() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=20)
    (old,) = cluster.kept.roots
    for _ in range(4):
        cluster.clock.advance(61 * DAY)
        await look_on(cluster, one, two, seconds=20)
    both = cluster.kept.roots
    assert len(both) == 2
    assert cluster.trusted() == [[root.id for root in both]] * 5
    assert cluster.kept.issuer_of(two.shown.certificate) == old
    await look_on(cluster, one, two, seconds=100)
    assert cluster.kept.roots == both[1:]
    assert cluster.trusted() == [[both[1].id]] * 5
    assert cluster.kept.issuer_of(two.shown.certificate) == both[1]
    assert one.shown == two.shown


async def test_the_old_root_stays_while_a_replica_shows_what_it_signed() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=20)
    (old,) = cluster.kept.roots
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, seconds=30)
    await look_on(cluster, one, two, seconds=40)
    await look_on(cluster, one, seconds=30)
    assert one.shown != two.shown
    assert all(old.id in roots for roots in cluster.trusted())
    await look_on(cluster, one, two, seconds=60)
    assert one.shown == two.shown
    assert not any(old.id in roots for roots in cluster.trusted())


async def test_other_names_get_another_certificate_of_the_same_root() -> None:
    cluster = Cluster()
    one = cluster.replica("one")
    await one.reconcile()
    roots = cluster.kept.roots
    two = cluster.replica("two", names=("webhook.example.org",))
    cluster.leader = "two"
    await two.reconcile()
    assert "webhook.example.org" in two.shown.certificate.names
    assert cluster.kept.roots == roots


async def test_a_replica_says_that_it_is_there_before_it_reads_what_to_show() -> None:
    cluster = Cluster()
    await cluster.replica("one").reconcile()
    seen: list[dict[str, str]] = []
    two = cluster.replica("two")
    cluster.api.before_next(lambda: seen.append(cluster.serving()), verb="get", resource=SECRETS)
    await two.reconcile()
    assert seen[0]["two"] == ""
    assert cluster.serving()["two"] == two.shown.certificate.id


async def test_a_clean_stop_takes_the_replicas_lease_away() -> None:
    cluster = Cluster()
    one = cluster.replica("one")
    task = asyncio.create_task(one.certificates.run())
    while not cluster.clock.sleepers:
        await asyncio.sleep(0)
    assert "one" in cluster.serving()
    task.cancel()
    await asyncio.wait({task})
    assert cluster.serving() == {}


def _bug() -> None:
    raise ValueError("a bug")


async def test_run_begins_at_once_and_goes_on_after_failures() -> None:
    cluster = Cluster()
    cluster.api.fail_next(Unavailable("cannot reach the API server"))
    cluster.api.before_next(_bug)
    one = cluster.replica("one")
    task = asyncio.create_task(one.certificates.run())
    for _ in range(3):
        while not cluster.clock.sleepers:
            await asyncio.sleep(0)
        cluster.clock.advance(10)
        await asyncio.sleep(0)
    while not one.is_trusted():
        await asyncio.sleep(0)
    assert one.metric("certificate_turn_failures_total") == 2
    task.cancel()
    await asyncio.wait({task})


async def test_a_look_that_changes_nothing_is_four_requests_of_which_one_writes() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=20)
    cluster.api.requests.clear()
    await look_on(cluster, two, seconds=10)
    assert [(verb, name) for verb, name, _, _ in cluster.api.requests] == [
        ("get", "secrets"),
        ("get", "mutatingwebhookconfigurations"),
        ("get", "validatingwebhookconfigurations"),
        ("patch", "leases"),
    ]


async def test_what_is_asked_of_the_api_is_what_the_role_allows() -> None:
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=20)
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, two, seconds=200)
    await look_on(cluster, one, seconds=100)
    asked: dict[str, set[str]] = {}
    for verb, plural, namespace, name in cluster.api.requests:
        asked.setdefault(plural, set()).add(verb)
        assert plural.endswith("configurations") or namespace == NAMESPACE
        assert plural != "secrets" or name == SECRET
    assert asked == {
        "secrets": {"get", "update"},
        "mutatingwebhookconfigurations": {"get", "update"},
        "validatingwebhookconfigurations": {"get", "update"},
        LEASES.plural: {"create", "patch", "list", "delete"},
    }


async def test_certificates_are_valid_a_day_early() -> None:
    """The leader's clock may be ahead of everybody else's by hours."""
    cluster = Cluster()
    one = cluster.replica("one")
    await one.reconcile()
    (root,) = cluster.kept.roots
    assert root.not_before == cluster.now - timedelta(days=1)
    assert one.shown.certificate.not_before == cluster.now - timedelta(days=1)
