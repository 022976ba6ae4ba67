"""Secrets that are broken, foreign, old or deleted: the served certificate stays trusted."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.cluster import SECRET
from planes.kube.resources import SECRETS
from tests.support.certificates import make_plain_root
from tests.support.certificates_cluster import (
    NAMESPACE,
    Cluster,
    check,
    foreign_pair,
    look_on,
    settled,
)

DAY = 86400.0


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
    await one.reconcile()
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


@pytest.mark.parametrize("sort", ["RSA", "EC without extensions"])
async def test_a_root_that_cannot_sign_for_us_is_succeeded_with_an_overlap(sort: str) -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    is_rsa = sort == "RSA"
    key = (
        rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
    )
    root = make_plain_root(key, cluster.now, 0x900)
    cluster.change_secret(ca_crt=root.certificate.pem, ca_key=root.key)
    for _ in range(30):
        await look_on(cluster, two, one, seconds=10)
        check(cluster, one, two)
    assert cluster.kept.serving == one.shown == two.shown
    assert [one.id for one in cluster.kept.roots] != [root.certificate.id]
    assert "900" not in cluster.trusted()[0]


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


async def test_a_removed_secret_is_waited_for_and_filled_again_as_it_was() -> None:
    """Nobody but who applies the manifests may create it; what is shown is shown on meanwhile."""
    cluster = Cluster()
    one, two = await settled(cluster)
    before = cluster.secret["data"]
    cluster.remove_secret()
    await look_on(cluster, two, one, seconds=20)
    assert "is not there; apply the manifests" in one.failures[-1]
    check(cluster, one, two)
    cluster.ship_secret()
    await look_on(cluster, two, one, seconds=20)
    assert cluster.secret["data"] == before
    check(cluster, one, two)


async def test_an_emptied_secret_is_filled_again_as_it_was() -> None:
    cluster = Cluster()
    one, two = await settled(cluster)
    before = cluster.secret["data"]
    cluster.api.put_object(SECRETS, {**cluster.secret, "data": None})
    await look_on(cluster, two, one, seconds=20)
    assert cluster.secret["data"] == before
    check(cluster, one, two)


async def test_a_removed_secret_that_nobody_remembers_is_made_anew_with_an_overlap() -> None:
    """The leader is new and shows nothing; another replica shows what the lost root signed."""
    cluster = Cluster()
    _, two = await settled(cluster)
    cluster.remove_secret()
    cluster.ship_secret()
    three = cluster.replica("three")
    cluster.leader = "three"
    await three.try_reconcile()
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
    cluster.ship_secret()
    await cluster.replica("three").reconcile()
    await one.reconcile()
    assert cluster.secret["data"] == before
    check(cluster, one, two)
