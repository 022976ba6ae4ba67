"""Which pod holds which address, and how the index follows pods that come and go."""

from __future__ import annotations

from ipaddress import ip_address

import orjson
from hypothesis import given
from hypothesis import strategies as st

from planes.model.addresses import parse_range
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.state.claim_index import ClaimIndex, ClaimScope
from planes.model.state.claims import Usage
from planes.model.state.persistent_map import PersistentMap
from tests.support.model import claim_index, pod_object

NET = NadRef("shop", "net")
FIVE = ip_address("10.0.0.5")


EVERYBODY = ClaimScope(lambda _: True)


def asking(name: str, *ips: str, attached: str = "") -> Pod:
    networks = orjson.dumps([{"name": "net", "ips": list(ips)}]).decode()
    status = f'[{{"name":"shop/net","interface":"net1","ips":["{attached}"]}}]'
    annotations = {STATUS_ANNOTATION: status} if attached else {}
    return Pod.from_object(pod_object(name, networks=networks, annotations=annotations))


def test_an_address_is_found_whatever_its_spelling() -> None:
    index = claim_index([asking("a", "::ffff:10.0.0.5/120")])
    assert [claim.pod for claim in index.holders(NET, FIVE)] == ["shop/a"]


def test_who_is_attached_goes_before_who_asks() -> None:
    index = claim_index(
        [asking("a", "10.0.0.5"), asking("b", attached="10.0.0.5")], is_believed=True
    )
    rival = index.rival(NET, FIVE, "shop/a", EVERYBODY)
    assert rival is not None
    assert rival.pod == "shop/b"
    assert index.rival(NET, FIVE, "shop/b", EVERYBODY) is None


def test_a_pod_that_leaves_frees_its_addresses() -> None:
    index = claim_index([asking("a", "10.0.0.5")])
    after = index.changed({"shop/a": None})
    assert after.holders(NET, FIVE) == ()
    assert index.holders(NET, FIVE) != ()
    assert after.usage(NET, "shop") == Usage()


def test_annotations_that_cannot_be_read_claim_nothing() -> None:
    pod = pod_object(networks="[", annotations={STATUS_ANNOTATION: "["})
    index = claim_index([Pod.from_object(pod)])
    assert index.usage(NET, "shop") == Usage()


def test_usage_counts_addresses_attachments_and_static_ones() -> None:
    index = claim_index([asking("a", "10.0.0.5", attached="10.0.0.6"), asking("b")])
    assert index.usage(NET, "shop") == Usage(addresses=2, attachments=2, static=1)
    assert index.usage(NET, "shop", without="shop/a") == Usage(attachments=1)


def test_suggestions_are_free_and_near() -> None:
    index = claim_index([asking("a", "10.0.0.5", "10.0.0.6"), asking("b", "10.0.0.8")])
    spans = [parse_range("10.0.0.2-10.0.0.9")]
    assert [str(each) for each in index.free(NET, spans, FIVE, EVERYBODY)] == [
        "10.0.0.7",
        "10.0.0.9",
        "10.0.0.2",
    ]


def test_suggestions_end_where_nothing_is_free() -> None:
    index = claim_index([asking("a", "10.0.0.5")])
    assert index.free(NET, [parse_range("10.0.0.5")], FIVE, EVERYBODY) == ()


PODS = st.sampled_from("abcd")
CHANGES = st.lists(
    st.tuples(PODS, st.none() | st.lists(st.integers(1, 5), max_size=3)), max_size=12
)


@given(CHANGES)
def test_following_changes_gives_the_same_index_as_building_it(
    changes: list[tuple[str, list[int] | None]],
) -> None:
    index = ClaimIndex()
    pods: dict[str, Pod] = {}
    for name, hosts in changes:
        if hosts is None:
            pods.pop(name, None)
            index = index.changed({f"shop/{name}": None})
        else:
            pods[name] = asking(name, *(f"10.0.0.{host}" for host in hosts))
            index = index.with_pod(pods[name])
    built = claim_index(pods.values())
    assert index.usage(NET, "shop") == built.usage(NET, "shop")
    for host in range(1, 6):
        address = ip_address(f"10.0.0.{host}")
        found, expected = index.holders(NET, address), built.holders(NET, address)
        assert {claim.pod for claim in found} == {claim.pod for claim in expected}


def test_a_layered_mapping_keeps_its_versions_apart() -> None:
    base: PersistentMap[int, str] = PersistentMap({1: "a"})
    versions = [base]
    for number in range(2000):
        versions.append(versions[-1].changed({number: None if number % 3 == 0 else str(number)}))
    assert base.get(1) == "a"
    assert versions[-1].get(3) is None
    assert dict(versions[-1].items()) == {n: str(n) for n in range(2000) if n % 3}
