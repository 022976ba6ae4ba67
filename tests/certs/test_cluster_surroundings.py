"""Faults of replicas, leaders, configurations and clocks: the certificate stays trusted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from planes.kube.resources import MUTATING_HOOKS, SECRETS, VALIDATING_HOOKS
from planes.model.errors import Unavailable
from tests.support.certificates_cluster import (
    EVERYBODY,
    Cluster,
    check,
    foreign_pair,
    look_on,
    settled,
)
from tests.support.clock import FakeClock
from tests.support.kube.interleaved import Interleaved

DAY = 86400.0


async def test_an_expired_pair_at_start_is_replaced_at_once() -> None:
    cluster = Cluster()
    await settled(cluster)
    cluster.clock.advance(800 * DAY)
    late, other = cluster.replica("three"), cluster.replica("four")
    cluster.leader = "three"
    await look_on(cluster, late, other, seconds=50)
    check(cluster, late, other)
    assert late.shown == other.shown


async def test_what_is_shown_survives_the_api_server_for_long_and_nobody_is_taken_for_gone() -> (
    None
):
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, two, seconds=50)
    cluster.api.fail_next(Unavailable("cannot reach the API server"), times=2 * 360)
    await look_on(cluster, one, two, seconds=3600)
    check(cluster, one, two)
    assert len(one.failures) == 360
    # The leader is back first and looks often: the other one, silent for an hour, still counts.
    await look_on(cluster, one, seconds=20)
    check(cluster, one, two)
    await look_on(cluster, one, two, seconds=100)
    check(cluster, one, two)
    assert len(cluster.kept.roots) == 1


async def test_a_replica_that_died_holds_up_the_old_root_for_forty_seconds_only() -> None:
    cluster = Cluster()
    one, _ = await settled(cluster)
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, seconds=30)
    assert "two" in cluster.serving()
    await look_on(cluster, one, seconds=60)
    assert "two" not in cluster.serving()
    assert len(cluster.kept.roots) == 1


async def test_a_leader_that_lost_its_lease_in_mid_step_changes_nothing() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(ca_key=None)

    def take_over() -> None:
        cluster.leader = "two"
        cluster.change_secret(tls_crt=b"junk")

    cluster.api.before_next(take_over, verb="update", resource=SECRETS)
    await one.reconcile()
    assert len(cluster.kept.roots) == 1
    for _ in range(20):
        await look_on(cluster, one, two, seconds=10)
        check(cluster, one, two)
    assert cluster.kept.serving == one.shown == two.shown


async def test_a_new_leader_first_reads_what_the_others_serve() -> None:
    """It answers "no, no, yes …": at its first yes it has not listed who shows what."""
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, two, seconds=60)
    await look_on(cluster, one, seconds=10)
    assert one.shown != two.shown
    answers = iter([False, True])
    three = cluster.replica("three", is_leader=lambda: next(answers, True))
    await three.reconcile()
    await look_on(cluster, three, seconds=10)
    check(cluster, two)


@pytest.mark.parametrize("seed", range(5))
async def test_two_that_both_take_themselves_for_the_leader_do_no_harm(seed: int) -> None:
    cluster = Cluster()
    one, two = (
        cluster.replica(pod, api=Interleaved(cluster.api, seed * 2 + n))
        for n, pod in enumerate(("one", "two"))
    )
    await look_on(cluster, one, two, seconds=20)
    cluster.leader = EVERYBODY
    for look in range(60):
        if look % 20 == 0:
            cluster.change_secret(ca_key=None)
        cluster.clock.advance(10)
        await asyncio.gather(one.try_reconcile(), two.try_reconcile())
        check(cluster, one, two)
    assert one.shown == two.shown
    assert len(cluster.kept.roots) == 1


async def test_a_configuration_that_was_emptied_trusts_us_again_at_the_next_look() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.install()
    await look_on(cluster, two, seconds=10)
    assert not two.is_trusted()
    assert two.metric("certificate_trusted") == 0
    await look_on(cluster, one, two, seconds=10)
    check(cluster, one, two)
    assert two.metric("certificate_trusted") == 1


async def test_what_somebody_adds_to_a_ca_bundle_goes_because_the_field_is_ours() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    root, _ = foreign_pair(cluster)
    ours = cluster.bundles()[0]
    cluster.install(ours + root.certificate.pem)
    await look_on(cluster, one, two, seconds=10)
    assert cluster.bundles() == [ours] * 5


async def test_one_entry_that_lost_its_bundle_is_enough_to_be_untrusted() -> None:
    cluster = Cluster()
    one, _ = await settled(cluster)
    obj = cluster.api.object(VALIDATING_HOOKS, "netplane")
    assert obj is not None
    del obj["webhooks"][2]["clientConfig"]["caBundle"]
    cluster.api.put_object(VALIDATING_HOOKS, obj)
    two = cluster.replica("two")
    await two.reconcile()
    assert not two.is_trusted()
    await one.reconcile()
    check(cluster, one)


async def test_without_configurations_the_listener_comes_up_untrusted_and_waits_for_them() -> None:
    cluster = Cluster(is_installed=False)
    one, two = cluster.replica("one"), cluster.replica("two")
    await one.try_reconcile()
    await two.try_reconcile()
    assert (
        "MutatingWebhookConfiguration and ValidatingWebhookConfiguration is not there"
        in one.failures[0]
    )
    assert one.shown == two.shown
    assert not one.is_trusted()
    cluster.install()
    await look_on(cluster, one, two, seconds=10)
    check(cluster, one, two)


async def test_a_configuration_removed_while_running_is_waited_for_and_no_root_is_dropped() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    before = cluster.kept.roots
    cluster.api.remove_object(MUTATING_HOOKS, "netplane")
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, two, seconds=300)
    assert not one.is_trusted()
    assert len(one.failures) == 30
    assert cluster.kept.roots[0] == before[0]
    assert before[0].id in cluster.trusted()[-1]
    cluster.install()
    await look_on(cluster, one, two, seconds=200)
    check(cluster, one, two)
    assert len(cluster.kept.roots) == 1


@pytest.mark.parametrize("hours", [-20, -0.2, 0.2, 20])
async def test_replicas_whose_clocks_differ_agree(hours: float) -> None:
    """The leader's clock is right or wrong by this much; certificates are valid for both."""
    cluster = Cluster()
    wrong = FakeClock(cluster.clock.now() + hours * 3600)
    one, two = cluster.replica("one", clock=wrong), cluster.replica("two")
    for round_ in range(40):
        if round_ == 10:
            cluster.change_secret(ca_key=None)
        wrong.advance(10)
        await look_on(cluster, one, two, seconds=10)
        check(cluster, two)
        now = datetime.fromtimestamp(wrong.now(), UTC)
        assert one.shown.certificate.is_valid_at(now)
        assert one.is_trusted()
    assert one.shown == two.shown
    assert len(cluster.kept.roots) == 1


async def test_a_clock_that_is_set_does_not_shorten_the_wait_for_trust() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, two, seconds=10)
    cluster.clock.set_wall(cluster.clock.now() + 3600)
    await look_on(cluster, one, two, seconds=40)
    issuer = cluster.kept.issuer_of(one.shown.certificate)
    assert len(cluster.kept.roots) == 2
    assert issuer == cluster.kept.roots[0]


async def test_no_key_is_ever_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(tls_crt=b"junk", ca_key=None)
    await look_on(cluster, one, two, seconds=200)
    facts = [str(value) for record in caplog.records for value in vars(record).values()]
    assert len(caplog.records) > 5
    assert not any("PRIVATE" in each or "BEGIN" in each for each in facts)
