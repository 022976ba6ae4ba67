"""What a browser finds in a page, and what it should find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planes.cli.map.facts import PlaneMap
from planes.cli.map.texts import clean

BOXES = """
[...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width).map(svg => {
  const box = svg.getBoundingClientRect(), all = [];
  const put = (e, dx, dy) => {
    const r = e.getBoundingClientRect();
    if (r.width) all.push([e.textContent, r.left + dx, r.top + dy, r.right + dx, r.bottom + dy]);
  };
  svg.querySelectorAll('text').forEach(e => put(e, 0, 0));
  for (const use of svg.querySelectorAll('use')) {
    const source = document.querySelector(use.getAttribute('href') + ' text');
    const label = use.getAttribute('href').match(/^#[cd]/);
    if (source && label) {
      const m = use.getScreenCTM(), r = source.getBBox();
      const scale = m.a, x = m.e + scale * r.x;
      const y = m.f + scale * (Number(use.getAttribute('y')) + r.y);
      all.push([source.textContent, x, y, x + scale * r.width, y + scale * r.height]);
    }
  }
  return {around: [svg.getAttribute('class') || '', box.left, box.top, box.right, box.bottom],
          texts: all};
})
"""
"""Of each picture its place, and those of its texts; names of networks are used by reference."""

_TOLERANCE = 0.5  # pixels, as browsers round


@dataclass(frozen=True, slots=True)
class TextBox:
    """A text and where it is."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def is_inside(self, other: TextBox) -> bool:
        """Report whether it ends before the other's edges."""
        return (
            self.left >= other.left - _TOLERANCE
            and self.right <= other.right + _TOLERANCE
            and self.top >= other.top - _TOLERANCE
            and self.bottom <= other.bottom + _TOLERANCE
        )

    def overlaps(self, other: TextBox) -> bool:
        """Report whether letters may touch: boxes have some space above and below letters."""
        return (
            self.left < other.right - _TOLERANCE
            and other.left < self.right - _TOLERANCE
            and self.top + 3 < other.bottom - 3
            and other.top + 3 < self.bottom - 3
        )


def stops_of(shown: PlaneMap) -> Iterator[tuple[str, int, str, str]]:
    """Yield what the page of a map should show, see `tests.support.map_page`."""
    for group in shown.groups:
        for pod in group.pods:
            title = clean(f"pod {pod.namespace}/{pod.name} on {pod.node}")
            for stop in pod.stops:
                texts = [f"{one.text} ◆" if one.is_static else one.text for one in stop.addresses]
                if stop.more:
                    texts.append(f"and {stop.more} more")
                for text in texts or ["no address"]:
                    yield title, stop.network, clean(stop.interface), clean(text)
