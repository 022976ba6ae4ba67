"""The page and the picture: well-formed, closed to the outside, whatever objects are called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from planes.cli.map.facts import MapNetwork, NetworkKind, PlaneMap
from planes.cli.map.page import POLICY, page
from planes.cli.map.palette import DARK, GREY, LIGHT, LINES
from planes.cli.map.picture import picture
from planes.cli.map.reading import read_map
from planes.cli.map.style import PAGE, PICTURE, line_colours
from planes.cli.reading.place import Place
from planes.kube.resources import PLANES, PODS
from tests.cli.map.drawn_facts import stops_of
from tests.cli.map.maps import maps
from tests.cli.map.scenes import large_cluster, pod_object, status
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.map_page import SVG, stops_in
from tests.support.planes import plane_object

FORMS = pytest.mark.parametrize("form", [page, picture])
Form = Callable[[PlaneMap], str]


def tree(text: str) -> ET.Element:
    return ET.fromstring(text.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own text


def map_of(kube: FakeKube, by: str = "node") -> PlaneMap:
    return asyncio.run(read_map(Place(kube, FakeClock(), "the cluster"), by))


@FORMS
@given(shown=maps())
def test_it_is_well_formed_and_has_no_script_and_no_reference_outside(
    form: Form, shown: PlaneMap
) -> None:
    allowed = re.compile(r"#[\w.-]+|url\(#\w+\)")
    for element in tree(form(shown)).iter():
        name = element.tag.rpartition("}")[2]
        assert name not in {"script", "a", "img", "image", "link", "iframe", "foreignObject"}
        for key, value in element.attrib.items():
            bare = key.rpartition("}")[2].lower()
            assert not bare.startswith("on"), f"a handler: {key}"
            assert bare not in {"src", "style"} or value == "position:absolute"
            assert bare != "href" or allowed.fullmatch(value)
        if name == "style":
            loads = re.findall(r"url\([^)]*\)|@import", element.text or "")
            assert all(allowed.fullmatch(one) for one in loads)


@FORMS
@given(shown=maps())
def test_no_text_has_controls_or_turns_the_direction(form: Form, shown: PlaneMap) -> None:
    text = form(shown)
    assert [c for c in text if not c.isprintable() and c not in "\n\xa0"] == []
    assert re.search("[\u0300-\u036f]{3}", text) is None


@FORMS
@given(shown=maps())
def test_what_is_used_by_reference_is_there_once(form: Form, shown: PlaneMap) -> None:
    root = tree(form(shown))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {e.attrib["href"] for e in root.iter(f"{SVG}use")} <= {f"#{one}" for one in ids}


@FORMS
@given(shown=maps())
def test_a_card_is_below_the_lines_and_they_are_below_the_stops(
    form: Form, shown: PlaneMap
) -> None:
    cards = [e for e in tree(form(shown)).iter() if e.get("class") == "pod"]
    assert len(cards) == sum(len(group.pods) for group in shown.groups)
    for card in cards:
        order = [
            "card" if e.get("class") == "c" else "line" if e.get("href", "")[:2] == "#l" else "stop"
            for e in card.iter()
            if e.get("class") == "c" or e.tag == f"{SVG}use"
        ]
        assert order[:2] == ["card", "line"]
        assert set(order[2:]) <= {"stop"}


@FORMS
def test_letters_that_are_wider_than_was_thought_end_at_the_edge_of_their_card(form: Form) -> None:
    """A card is a picture of its own, which is cut at its edges; nothing is drawn on others."""
    shown = map_of(large_cluster(7, 3))
    cards = [e for e in tree(form(shown)).iter() if e.get("class") == "pod"]
    assert len(cards) == 7
    for card in cards:
        (place,) = (e for e in card if e.get("class") == "c")
        assert card.tag == f"{SVG}svg"
        assert float(card.attrib["width"]) > float(place.attrib["width"])
        assert float(card.attrib["height"]) > float(place.attrib["height"])
        assert card.get("overflow") is None


@FORMS
def test_planes_without_pods_are_named(form: Form) -> None:
    kube = large_cluster(3, 2)
    assert "lanes without pods" not in form(map_of(kube))
    kube.put_object(PLANES, plane_object("lonely"))
    kube.put_object(PLANES, plane_object("spare"))
    assert "lanes without pods: lonely, spare" in form(map_of(kube))


@given(shown=maps())
def test_the_page_forbids_the_browser_to_fetch_anything(shown: PlaneMap) -> None:
    assert f'content="{POLICY}"' in page(shown).partition("<style>")[0]
    assert POLICY.startswith("default-src 'none'; ")


@FORMS
def test_every_interface_has_a_stop_with_its_address(form: Form) -> None:
    shown = map_of(large_cluster(500, 24))
    found = set(stops_in(tree(form(shown))))
    assert found == set(stops_of(shown))
    assert len(found) > 2500


def test_five_hundred_pods_each_on_24_planes_are_less_than_two_mebibytes() -> None:
    kube = large_cluster(0, 24)
    for n in range(500):
        elements = [status("cbr0", "eth0", f"10.244.{n >> 8}.{n & 255}", is_default=True)]
        elements += [
            status(f"netplane-system/plane-{p:02}", f"net{p + 1}", f"192.168.{100 + p}.{n & 255}")
            for p in range(24)
        ]
        name = f"web-{n:04}"
        kube.put_object(PODS, pod_object("shop", name, f"node-{n % 20:02}", *elements))
    assert len(page(map_of(kube)).encode()) < 2 << 20


def test_groups_of_a_large_map_are_folded_and_say_what_they_have() -> None:
    folded = tree(page(map_of(large_cluster(200, 3))))
    groups = [e for e in folded.iter() if e.tag.endswith("}details")]
    assert len(groups) == 20
    assert all(group.get("open") is None for group in groups)
    summary = "".join(groups[0][0].itertext())
    assert "node-00" in summary
    assert "10 pods" in summary
    assert "plane-00" in summary
    small = tree(page(map_of(large_cluster(40, 3))))
    assert all(e.get("open") for e in small.iter() if e.tag.endswith("}details"))


def test_a_group_of_hundreds_is_folded_in_parts() -> None:
    root = tree(page(map_of(large_cluster(120, 2, nodes=1))))
    parts = [e for e in root.iter() if e.tag.endswith("}details")]
    assert len(parts) == 3
    assert "web-0000" in "".join(parts[0][0].itertext())


@pytest.mark.parametrize(("base", "which"), [(LIGHT, 0), (DARK, 1)])
def test_every_colour_of_text_is_readable_on_the_page_and_on_a_card(
    base: dict[str, str], which: int
) -> None:
    lines = [pair[which] for pair in (*LINES, GREY)]
    for colour in (*lines, base["fg"], base["mut"]):
        for ground in (base["bg"], base["card"]):
            assert contrast(colour, ground) >= 4.5, f"{colour} on {ground}"


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_24_planes_look_different() -> None:
    planes = [MapNetwork(NetworkKind.PLANE, f"p{n}") for n in range(24)]
    looks = list(line_colours(planes))
    assert len(set(looks)) == 24
    assert all(one != other for one, other in pairwise(colour for colour, _ in looks))


def test_every_class_that_is_drawn_has_a_style() -> None:
    root = tree(page(map_of(large_cluster(20, 3))))
    rules = PICTURE + PAGE
    names = {name for e in root.iter() for name in (e.get("class") or "").split()}
    unstyled = {n for n in names if not re.fullmatch(r"k\d+", n) and f".{n}" not in rules}
    assert unstyled <= {"pod", "strip"}
