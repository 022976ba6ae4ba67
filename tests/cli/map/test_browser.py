"""The page in a real browser: what is where once it is drawn, by day, by night, on a phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from planes.cli.map.facts import PlaneMap
from planes.cli.map.page import page
from planes.cli.map.palette import DARK, LIGHT
from planes.cli.map.reading import read_map
from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.reading.place import Place
from tests.cli.map.drawn_facts import BOXES, TextBox, stops_of
from tests.cli.map.scenes import hostile_cluster, large_cluster, small_machine
from tests.support.browser import Browser, browser, why_no_browser
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.map_page import STOPS

pytestmark = [
    pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser() or "none"),
    pytest.mark.timeout(180),
]

WIDTHS = (320, 390, 800, 1200)


def small(home: Path) -> PlaneMap:
    small_machine(home)
    manifests, state = home / "manifests", home / "state"
    place = Place(DirectoryApi(manifests, state), FakeClock(), "x", manifests, state)
    return asyncio.run(read_map(place, "node"))


def of_cluster(kube: FakeKube) -> PlaneMap:
    return asyncio.run(read_map(Place(kube, FakeClock(), "the cluster"), "node"))


SCENES: dict[str, Callable[[Path], PlaneMap]] = {
    "small": small,
    "large": lambda _: of_cluster(large_cluster(500, 24)),
    "hostile": lambda _: of_cluster(hostile_cluster()),
}
EVERY_SCENE = pytest.mark.parametrize("scene", SCENES)


@dataclass(frozen=True, slots=True)
class Written:
    """A scene's map, and the page of it."""

    shown: PlaneMap
    url: str


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    found = {}
    for name, make in SCENES.items():
        home = tmp_path_factory.mktemp(name)
        shown = make(home / "machine")
        (home / "map.html").write_text(page(shown))
        found[name] = Written(shown, (home / "map.html").as_uri())
    return found


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browser(tmp_path) as made:
        yield made


async def unfold(tab: Browser) -> None:
    await tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@EVERY_SCENE
async def test_it_asks_for_nothing_and_complains_of_nothing(
    tab: Browser, written: dict[str, Written], scene: str
) -> None:
    await tab.open(written[scene].url)
    assert tab.requests == [written[scene].url]
    assert tab.console == []


@EVERY_SCENE
async def test_every_stop_is_there_with_its_network_and_address(
    tab: Browser, written: dict[str, Written], scene: str
) -> None:
    await tab.open(written[scene].url)
    seen = {tuple(stop) for stop in await tab.evaluate(STOPS)}
    assert seen == set(stops_of(written[scene].shown))
    assert seen


@EVERY_SCENE
async def test_the_page_is_never_wider_than_the_window(
    tab: Browser, written: dict[str, Written], scene: str
) -> None:
    for width in WIDTHS:
        await tab.open(written[scene].url, width=width)
        await unfold(tab)
        assert await tab.evaluate("document.documentElement.scrollWidth") <= width


@EVERY_SCENE
async def test_no_text_is_clipped_or_lies_on_another(
    tab: Browser, written: dict[str, Written], scene: str
) -> None:
    for width in WIDTHS:
        await tab.open(written[scene].url, width=width)
        await unfold(tab)
        pictures = await tab.evaluate(BOXES)
        assert pictures
        for found in pictures:
            around = TextBox(*found["around"])
            texts = [TextBox(*one) for one in found["texts"]]
            assert [text for text in texts if not text.is_inside(around)] == []
            pairs = combinations(texts, 2)
            assert [(a.text, b.text) for a, b in pairs if a.overlaps(b)] == []


@pytest.mark.parametrize(("is_dark", "colours"), [(False, LIGHT), (True, DARK)])
async def test_day_and_night(
    tab: Browser, written: dict[str, Written], is_dark: bool, colours: dict[str, str]
) -> None:
    await tab.open(written["small"].url, is_dark=is_dark)
    found = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(colours["bg"][i : i + 2], 16) for i in (1, 3, 5))
    assert found == f"rgb({red}, {green}, {blue})"


async def test_lines_go_on_from_card_to_card(tab: Browser, written: dict[str, Written]) -> None:
    """Cards of one row stand at one height and touch, so that no line has a gap."""
    for width in WIDTHS:
        await tab.open(written["small"].url, width=width)
        rows = await tab.evaluate(
            "[...document.querySelectorAll('.band')].map(band => [...band.children]"
            ".map(e => e.getBoundingClientRect()).filter(r => r.width)"
            ".map(r => [r.left, r.right, r.top]))"
        )
        assert rows
        for one, other in (pair for row in rows for pair in pairwise(row)):
            assert one[2] < other[2] or one[1] == other[0]


async def test_a_screen_reader_gets_network_interface_and_address_of_each_stop(
    tab: Browser, written: dict[str, Written]
) -> None:
    await tab.open(written["small"].url)
    nodes = (await tab.command("Accessibility.getFullAXTree"))["nodes"]
    read = [
        one["name"]["value"] for one in nodes if one.get("role", {}).get("value") == "StaticText"
    ]
    for wanted in (["business", "net1", "192.168.100.10 ◆"], ["cluster", "eth0", "10.244.2.5"]):
        assert any(read[i : i + 3] == wanted for i in range(len(read)))
    assert "pod shop/database-0 on node1" in [one.get("name", {}).get("value") for one in nodes]


async def test_a_phone_is_told_that_wide_cards_go_on(
    tab: Browser, written: dict[str, Written]
) -> None:
    told = "[...document.querySelectorAll('.aside')].filter(e => e.getClientRects().length).length"
    wide = "[...document.querySelectorAll('.pods')].filter(e => e.scrollWidth > e.clientWidth)"
    await tab.open(written["hostile"].url, width=390)
    assert await tab.evaluate(f"{wide}.length") > 0
    assert await tab.evaluate(f"{wide}.every(e => e.previousSibling.matches('.aside'))")
    assert await tab.evaluate(told) > 0
    await tab.open(written["hostile"].url, width=1200)
    assert await tab.evaluate(told) == 0
    await tab.open(written["small"].url, width=390)
    assert await tab.evaluate(told) == 0


async def test_folded_groups_are_short(tab: Browser, written: dict[str, Written]) -> None:
    await tab.open(written["large"].url)
    height = await tab.evaluate("document.querySelector('h2:last-of-type').offsetTop")
    assert height < 2000
