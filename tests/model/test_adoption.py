"""Addresses in use are held for their user, whichever sources say so and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.adoption import (
    MOST_OF_SANDBOX,
    AddressUser,
    Adoption,
    Fact,
    Source,
    Verdict,
    adoptions,
    is_adopted,
    sandbox_identity,
)
from tests.support.planes import make_plane

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "exclude": ["10.9.0.5"]}]
)
X = ip_address("10.9.0.7")
NETNS = "/run/netns/cni-1"
OWN = "netplane-system/business"


def decide(
    *facts: Fact, held: dict[str, AddressUser] | None = None, joined: bool = True
) -> list[Adoption]:
    known = {ip_address(text): user for text, user in (held or {}).items()}
    return list(adoptions(PLANE, facts, known, lambda _: joined))


def live(netns: str = NETNS, address: str = str(X), interface: str = "net1") -> Fact:
    return Fact(Source.SANDBOX, ip_address(address), AddressUser(netns=netns, interface=interface))


def shown(pod: str = "web", network: str = OWN) -> Fact:
    return Fact(Source.STATUS, X, AddressUser("", "net1", "shop", pod, "u1"), network)


def test_an_address_of_a_sandbox_is_held_for_the_sandbox() -> None:
    (one,) = decide(live())
    assert one.verdict is Verdict.HOLD
    assert one.user.identity == sandbox_identity(NETNS)
    assert is_adopted(one.user.identity)


def test_both_paths_of_one_namespace_are_one_sandbox() -> None:
    assert sandbox_identity("/var/run/netns/a") == sandbox_identity("/run/netns/a")


def test_the_status_names_the_pod_of_an_address_that_an_interface_has() -> None:
    (one,) = decide(live(), shown())
    assert (one.user.pod, one.user.netns, one.doubts) == ("web", NETNS, ())


def test_addresses_no_pod_can_have_are_nobody_s() -> None:
    assert (
        decide(live(address="10.9.0.1"), live(address="10.9.0.5"), live(address="10.8.0.7")) == []
    )


def test_the_status_of_the_plane_proves_an_address_without_interface() -> None:
    (one,) = decide(shown())
    assert (one.verdict, one.user.pod) == (Verdict.HOLD, "web")


def test_the_status_of_another_network_or_of_a_stranger_proves_nothing() -> None:
    for found in (decide(shown(network="shop/other")), decide(shown(), joined=False)):
        assert [one.verdict for one in found] == [Verdict.UNPROVEN]


def test_an_annotation_proves_nothing_but_names_the_pod() -> None:
    asked = Fact(Source.ANNOTATION, X, AddressUser("", "", "shop", "evil"))
    assert [one.verdict for one in decide(asked)] == [Verdict.UNPROVEN]
    (one,) = decide(asked, live())
    assert one.verdict is Verdict.HOLD
    assert one.sources == (Source.SANDBOX,)


def test_what_the_journal_has_of_another_network_is_not_of_this_plane() -> None:
    user = AddressUser("c1", "net1", netns=NETNS)
    other = Fact(Source.JOURNAL, X, user, "shop/other", "storage")
    assert decide(other, live()) == []
    (one,) = decide(other, live("/run/netns/cni-2"))
    assert one.user.netns == "/run/netns/cni-2"


@pytest.mark.parametrize("source", [Source.HOST_LOCAL, Source.WHEREABOUTS])
def test_a_pool_is_taken_over_from_pods_whose_old_network_the_journal_has(source: Source) -> None:
    """The old network's pods were attached by Netplane, too; `adopt` alone reads pools."""
    user = AddressUser("c1", "net1", "shop", "web", "u1", NETNS)
    old = Fact(Source.JOURNAL, X, user, "shop/old")
    pool = Fact(source, X, AddressUser("c1", "net1", "shop", "web", "u1"), "10.9.0.0-24")
    (one,) = decide(old, live(), pool)
    assert (one.verdict, one.user.container_id, one.sources) == (Verdict.HOLD, "c1", (source,))


def test_the_journal_s_own_name_of_the_holder_is_kept() -> None:
    user = AddressUser("c1", "net1", "shop", "web", "u1", NETNS)
    (one,) = decide(live(), Fact(Source.JOURNAL, X, user, OWN, "business"))
    assert (one.user, one.doubts) == (user, ())


def test_two_holders_are_held_for_the_surest_and_both_named() -> None:
    pool = Fact(Source.WHEREABOUTS, X, AddressUser("c9", "net1", "shop", "old"))
    (one,) = decide(pool, replace(live(), user=AddressUser("c1", "net1", netns=NETNS)))
    assert one.verdict is Verdict.HOLD
    assert one.user.container_id == "c1"
    assert one.doubts == ("whereabouts says pod shop/old (interface net1)",)


def test_what_is_held_for_the_same_attachment_stays() -> None:
    (one,) = decide(live(), held={str(X): AddressUser(sandbox_identity(NETNS), "net1")})
    assert one.verdict is Verdict.HELD


def test_what_is_held_for_another_pod_is_a_conflict() -> None:
    (one,) = decide(
        Fact(Source.HOST_LOCAL, X, AddressUser("c2", "eth0")),
        held={str(X): AddressUser("c1", "net1")},
    )
    assert one.verdict is Verdict.CONFLICT
    assert one.doubts == ("the plane holds it for container c1 (interface net1)",)


def test_one_sandbox_proves_a_bounded_number_of_addresses() -> None:
    many = [live(address=f"10.9.0.{last}") for last in range(10, 10 + MOST_OF_SANDBOX + 20)]
    held = [one for one in decide(*many) if one.verdict is Verdict.HOLD]
    assert len(held) == MOST_OF_SANDBOX


TEXTS = st.sampled_from(["", "a", "b"])
USERS = st.builds(
    AddressUser, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(["", "/run/netns/a"])
)
FACTS = st.builds(
    Fact,
    st.sampled_from(list(Source)),
    st.sampled_from([ip_address("10.9.0.7"), ip_address("10.9.0.8")]),
    USERS,
    st.sampled_from(["", OWN, "shop/other"]),
    st.sampled_from(["", "business"]),
)
PROOFS = {Source.SANDBOX, Source.HOST_LOCAL, Source.WHEREABOUTS}


@given(st.lists(FACTS, max_size=8), st.dictionaries(st.just(X), USERS))
def test_every_proven_address_is_held_once(
    facts: list[Fact], held: dict[object, AddressUser]
) -> None:
    """Unless the journal has it of another network, or the plane holds it already."""
    found = adoptions(PLANE, facts, held, lambda _: True)  # type: ignore[arg-type]
    assert len({one.address for one in found}) == len(found)
    verdicts = {one.address: one.verdict for one in found}
    elsewhere = {f.address for f in facts if f.source is Source.JOURNAL and f.plane != "business"}
    for fact in facts:
        is_left_out = fact.source is Source.SANDBOX and fact.address in elsewhere
        if fact.source in PROOFS and not is_left_out:
            assert verdicts[fact.address] in {Verdict.HOLD, Verdict.HELD, Verdict.CONFLICT}
            assert (verdicts[fact.address] is Verdict.HOLD) == (fact.address not in held)


@given(st.lists(FACTS, max_size=6), st.randoms())
def test_the_order_of_sources_changes_no_verdict(facts: list[Fact], random: object) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = {one.address: one.verdict for one in decide(*facts)}
    assert first == {one.address: one.verdict for one in decide(*shuffled)}
