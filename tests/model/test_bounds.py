"""What a hostile annotation can cost: counts are capped early, ranges are never walked."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model import bounds
from planes.model.addresses import parse_address, parse_range
from planes.model.decide.decision import Decision, decide
from planes.model.names import INJECTED_ANNOTATION, NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.spans import SpanSet
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import Claim, Wanted
from planes.model.state.memo import Memo
from tests.support.model import make_catalog, make_nad, make_namespace, make_plane, pod_object

NETWORKS = f"metadata.annotations[{NETWORKS_ANNOTATION}]"
STATIC = f"metadata.annotations[{STATIC_IPS_ANNOTATION}]"
JOINED = make_namespace(business="enabled", wide="enabled")
WIDE = make_plane(
    "wide", subnets=[{"cidr": "0.0.0.0/0"}], network={"type": "bridge", "master": "br1"}
)


def on(pod: Any, catalog: Catalog | None = None) -> Decision:
    return decide(Pod.from_object(pod), JOINED, catalog or make_catalog(make_plane(), WIDE))


def element(**more: Any) -> dict[str, Any]:
    return {"name": "business", "namespace": "netplane-system", **more}


def text(*elements: dict[str, Any]) -> str:
    return orjson.dumps(elements).decode()


IPS = [f"192.168.100.{number}" for number in range(1, 17)]


@pytest.mark.parametrize(
    ("networks", "path", "words"),
    [
        (text(element(ips=["192.168.100.1"] * 4000)), "[0].ips", "4000 addresses"),
        (text(element(ips=["x"] * 9000)), "[0].ips", "9000 addresses"),
        (text(element(**{"default-route": ["10.0.0.1"] * 17})), "[0].default-route", "17 addr"),
        (text(element(portMappings=[{}] * 65)), "[0].portMappings", "65 ports"),
        (text({f"key{number}": 1 for number in range(5000)}), "[0]", "5000 members"),
        (text(*[element(ips=IPS, interface=f"b{n}") for n in range(5)]), "", "80 addresses"),
    ],
)
def test_too_many_are_one_error(networks: str, path: str, words: str) -> None:
    (error,) = on(pod_object(networks=networks)).errors
    assert error.path == f"{NETWORKS}{path}"
    assert words in error.message
    assert "at most" in error.remedy


@pytest.mark.parametrize(
    ("static", "words"),
    [
        ({f"plane-{number}": ["10.0.0.1"] for number in range(5000)}, "of 5000 planes"),
        ({"business": ["192.168.100.1"] * 257}, "257 entries"),
        ({f"plane-{number}": ["10.0.0.1"] * 100 for number in range(60)}, "6000 entries"),
    ],
)
def test_too_many_static_addresses_are_one_error(static: Any, words: str) -> None:
    (error,) = on(pod_object(static=static)).errors
    assert error.path == STATIC
    assert words in error.message


def test_errors_and_warnings_of_a_text_are_bounded() -> None:
    faulty = [{"ips": ["x"] * 16, **{f"odd{n}": 1 for n in range(40)}} for _ in range(32)]
    decision = on(pod_object(networks=text(*faulty), static={"business": ["x"] * 256}))
    assert len(decision.errors) <= 2 * bounds.MAX_FINDINGS
    assert len(decision.warnings) == bounds.MAX_UNKNOWN + 1


def test_a_record_of_any_size_is_read_only_where_we_may_have_written_it() -> None:
    entry = '{"name":"business","generation":1,"interface":"net1"}'
    huge = '{"planes":[' + ",".join([entry] * 4000) + '],"hash":""}'
    catalog = make_catalog(make_plane())
    assert catalog.annotation_cache.records.get(huge) is None
    assert not on(pod_object(annotations={INJECTED_ANNOTATION: huge}), catalog).denied


class CountingClaims(ClaimIndex):
    """Claims of everything, that count how often they are asked."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def holders(self, ref: NadRef, address: Wanted) -> tuple[Claim, ...]:
        self.asked += 1
        return (Claim("ops/other", is_attached=True, is_static=True),)


@pytest.mark.parametrize(
    "static",
    [{"wide": ["0.0.0.0/0"]}, {"business": ["0.0.0.0/0"]}, {"business": ["192.168.0.0/16"]}],
)
def test_a_huge_range_is_looked_at_up_to_a_bound(static: Any) -> None:
    """Where all that was looked at is held, the node is given the next ones to try."""
    claims = CountingClaims()
    catalog = make_catalog(make_plane(), WIDE).with_claims(claims)
    on(pod_object(static=static), catalog)
    assert claims.asked <= bounds.MAX_LOOKED_AT + 1


@pytest.mark.parametrize("count", [2, 8, 32])
def test_all_lists_of_a_pod_together_are_looked_at_up_to_a_bound(count: int) -> None:
    """50 planes with a list each took 70 ms."""
    names = [f"wide{number}" for number in range(count)]
    planes = [
        make_plane(
            name,
            subnets=[{"cidr": f"{number + 1}.0.0.0/8"}],
            network={"type": "bridge", "master": f"br{number}"},
        )
        for number, name in enumerate(names)
    ]
    claims = CountingClaims()
    pod = pod_object(static={name: [f"{n + 1}.0.0.0/8"] for n, name in enumerate(names)})
    joined = make_namespace(**dict.fromkeys(names, "enabled"))
    decision = decide(Pod.from_object(pod), joined, make_catalog(*planes).with_claims(claims))
    assert not decision.errors
    assert count * 16 < claims.asked <= max(bounds.MAX_LOOKED_AT_OF_POD, 32 * count) + 2 * count
    given = [len(attachment.candidates) for attachment in decision.attachments]
    assert given == [min(bounds.MAX_CANDIDATES, max(32, bounds.MAX_LOOKED_AT_OF_POD // count))] * (
        count
    )


def test_only_what_a_plane_gives_out_is_looked_at() -> None:
    """The range starts 100 * 256 addresses before the first one that may be had."""
    decision = on(pod_object(static={"business": ["192.168.0.0/16"]}))
    assert decision.attachments[0].candidates[0] == parse_address("192.168.100.0")
    assert len(decision.attachments[0].candidates) == 256


def test_beyond_what_was_looked_at_candidates_are_unchecked() -> None:
    catalog = make_catalog(make_plane(), WIDE).with_claims(CountingClaims())
    candidates = on(pod_object(static={"wide": ["10.0.0.0/8"]}), catalog).attachments[1].candidates
    assert candidates[0] == parse_address("10.0.0.0") + bounds.MAX_LOOKED_AT
    assert len(candidates) == bounds.MAX_CANDIDATES


def test_suggestions_are_searched_for_the_first_errors_only() -> None:
    nads = [make_nad(f"nad-{number}") for number in range(20)]
    wrong = ",".join(f"nad-x{number}" for number in range(9))
    decision = on(pod_object(networks=wrong), make_catalog(nads=nads))
    hinted = [error for error in decision.errors if "did you mean" in error.remedy]
    assert len(decision.errors) == 9
    assert len(hinted) == bounds.MAX_HINTS


def test_a_set_of_ranges_knows_its_addresses_and_parts() -> None:
    ranges = ["10.0.0.8-10.0.0.9", "10.0.0.0/30", "10.0.0.4", "fd00::/120"]
    spans = SpanSet(map(parse_range, ranges))
    assert [n for n in range(12) if parse_address(f"10.0.0.{n}") in spans] == [0, 1, 2, 3, 4, 8, 9]
    assert list(map(str, spans.within(parse_range("10.0.0.2-10.0.0.8")))) == [
        "10.0.0.2-10.0.0.4",
        "10.0.0.8",
    ]
    assert list(map(str, spans.within(parse_range("::/0")))) == ["fd00::-fd00::ff"]
    assert not list(spans.within(parse_range("10.0.0.5-10.0.0.7")))


def test_a_memo_asks_once_and_forgets_when_full() -> None:
    asked: list[str] = []

    def read(text: str, about: str) -> str:
        asked.append(text)
        return text + about

    memo = Memo(read)
    assert [memo.get("a", "1"), memo.get("a", "1"), memo.get("a", "2")] == ["a1", "a1", "a2"]
    assert asked == ["a", "a"]
    for number in range(5000):
        memo.get(str(number))
    assert len(memo) <= 1024


def test_long_texts_are_not_remembered() -> None:
    memo = Memo(lambda text, about: text + about)
    memo.get("x" * 5000)
    assert len(memo) == 0
