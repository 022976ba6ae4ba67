"""Certificates on a cluster when things break: what is shown stays trusted, and it mends."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from certs.bundle import Certificate, Pair, verify
from certs.cluster import SECRET
from planes.kube.resources import MUTATING_HOOKS, SECRETS, VALIDATING_HOOKS
from planes.model.errors import Unavailable
from tests.support.certificates import make_root, make_serving
from tests.support.certificates_cluster import NAMESPACE, Cluster, Member, look_on
from tests.support.clock import FakeClock

DAY = 86400.0


def check(cluster: Cluster, *members: Member) -> None:
    """What each member shows is trusted by every entry, and each knows."""
    for member in members:
        for pem in cluster.bundles():
            roots = Certificate.parse_all(pem, "caBundle")
            verify(member.shown, roots, cluster.now, member.pod)
        assert member.is_trusted()


async def settled(cluster: Cluster) -> tuple[Member, Member]:
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=120)
    check(cluster, one, two)
    return one, two


def foreign_pair(cluster: Cluster) -> tuple[Pair, Pair]:
    root = make_root(cluster.now, 0x900)
    return root, make_serving(root, cluster.now, 0x901)


BREAKAGES: dict[str, dict[str, bytes | None]] = {
    "garbage everywhere": {
        "tls_crt": b"junk",
        "tls_key": b"junk",
        "ca_crt": b"junk",
        "ca_key": b"junk",
    },
    "certificate is garbage": {"tls_crt": b"junk"},
    "certificate is truncated": {"tls_crt": b"-----BEGIN CERTIFICATE-----\nMIIB"},
    "certificate is missing": {"tls_crt": None},
    "key is missing": {"tls_key": None},
    "key is garbage": {"tls_key": b"\xff\x00"},
    "roots are garbage": {"ca_crt": b"junk"},
    "roots are missing": {"ca_crt": None},
    "root key is missing": {"ca_key": None},
    "root key is garbage": {"ca_key": b"junk"},
    "everything is missing": {"tls_crt": None, "tls_key": None, "ca_crt": None, "ca_key": None},
}


@pytest.mark.parametrize("data", BREAKAGES.values(), ids=BREAKAGES.keys())
async def test_a_broken_secret_is_mended_and_what_is_shown_stays_trusted_all_along(
    data: dict[str, bytes | None],
) -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(**data)
    for _ in range(25):
        await look_on(cluster, two, one, seconds=10)
        check(cluster, one, two)
    kept = cluster.kept
    assert kept.serving == one.shown == two.shown
    assert len(kept.roots) == len(kept.keys) == 1
    assert cluster.trusted() == [[kept.roots[0].id]] * 5


async def test_a_follower_keeps_the_last_good_pair_while_the_secret_is_broken_and_says_so() -> None:
    cluster = Cluster()
    _, two = await settled(cluster)
    before = two.shown
    cluster.change_secret(tls_crt=b"junk")
    await look_on(cluster, two, seconds=600)
    assert two.shown == before
    assert two.metric("certificate_loads_total", result="refused") == 1
    check(cluster, two)


async def test_a_pair_that_does_not_belong_together_is_refused() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.change_secret(tls_key=foreign_pair(cluster)[1].key)
    await look_on(cluster, two, seconds=10)
    check(cluster, two)
    assert two.metric("certificate_loads_total", result="refused") == 1
    await look_on(cluster, one, two, seconds=30)
    check(cluster, one, two)


async def test_data_that_is_not_base64_or_no_data_at_all_is_mended() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    cluster.api.put_object(SECRETS, {**cluster.secret, "data": {"tls.crt": "*", "ca.crt": 5}})
    await look_on(cluster, one, two, seconds=200)
    cluster.api.put_object(SECRETS, {**cluster.secret, "data": None})
    await look_on(cluster, one, two, seconds=200)
    check(cluster, one, two)
    assert cluster.kept.serving == one.shown


async def test_a_secret_of_another_type_is_used_as_it_is_and_its_other_keys_stay() -> None:
    cluster = Cluster()
    cluster.api.put_object(
        SECRETS,
        {
            "metadata": {"name": SECRET, "namespace": NAMESPACE, "labels": {"mine": "yes"}},
            "type": "Opaque",
            "data": {"other": b64encode(b"x").decode()},
        },
    )
    one = cluster.replica("one")
    await one.turn()
    check(cluster, one)
    obj = cluster.secret
    assert obj["type"] == "Opaque"
    assert obj["data"]["other"] == b64encode(b"x").decode()
    assert obj["metadata"]["labels"] == {"mine": "yes"}


async def test_a_foreign_pair_in_the_secret_is_not_shown_before_it_is_trusted() -> None:
    """Self-managed means ours: it is succeeded by a pair of our own."""
    cluster = Cluster()
    one, two = await settled(cluster)
    root, pair = foreign_pair(cluster)
    cluster.change_secret(
        ca_crt=root.certificate.pem, ca_key=None, tls_crt=pair.chain, tls_key=pair.key
    )
    for _ in range(30):
        await look_on(cluster, two, one, seconds=10)
        check(cluster, one, two)
    assert "900" not in cluster.trusted()[0]
    assert len(cluster.kept.roots) == 1


async def test_an_old_backup_put_back_is_gone_over_to_with_an_overlap() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    backup = cluster.secret
    cluster.change_secret(ca_key=None)
    await look_on(cluster, one, two, seconds=200)
    cluster.api.put_object(SECRETS, backup)
    for _ in range(20):
        await look_on(cluster, one, two, seconds=10)
        check(cluster, one, two)
    assert cluster.secret["data"] == backup["data"]
    assert cluster.trusted() == [[cluster.kept.roots[0].id]] * 5


async def test_a_removed_secret_is_written_again_as_it_was() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    before = cluster.secret["data"]
    cluster.remove_secret()
    await look_on(cluster, two, one, seconds=20)
    assert cluster.secret["data"] == before
    check(cluster, one, two)


async def test_a_removed_secret_that_nobody_remembers_is_made_anew_with_an_overlap() -> None:
    """The leader is new and shows nothing; another replica shows what the lost root signed."""
    cluster = Cluster()
    one, two = await settled(cluster)
    await one.certificates._replicas.leave()
    cluster.remove_secret()
    three = cluster.replica("three")
    cluster.leader = "three"
    await three.try_turn()
    for _ in range(30):
        await look_on(cluster, two, three, seconds=10)
        check(cluster, two)
    check(cluster, three)
    assert three.shown == two.shown


async def test_a_new_follower_leaves_a_removed_secret_to_the_leader() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    before = cluster.secret["data"]
    cluster.remove_secret()
    await cluster.replica("three").turn()
    await one.turn()
    assert cluster.secret["data"] == before
    check(cluster, one, two)


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
    await one.turn()
    assert len(cluster.kept.roots) == 1
    for _ in range(20):
        await look_on(cluster, one, two, seconds=10)
        check(cluster, one, two)
    assert cluster.kept.serving == one.shown == two.shown


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
    await two.turn()
    assert not two.is_trusted()
    await one.turn()
    check(cluster, one)


async def test_without_configurations_the_listener_comes_up_untrusted_and_waits_for_them() -> None:
    cluster = Cluster(is_installed=False)
    one, two = cluster.replica("one"), cluster.replica("two")
    await one.try_turn()
    await two.try_turn()
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
