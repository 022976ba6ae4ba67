"""The stops that a map's page or picture shows, read from its text or in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"

STOPS = """
[...document.querySelectorAll('svg.pod')].flatMap(card => {
  const pod = card.querySelector('title').textContent;
  const found = [];
  for (const column of card.querySelectorAll('g')) {
    let network = '', name = '';
    for (const e of column.children) {
      if (e.tagName === 'use') network = Number(e.getAttribute('href').slice(2));
      else if (e.getAttribute('class') === 'i') name = e.textContent;
      else found.push([pod, network, name, e.textContent]);
    }
  }
  return found;
})
"""
"""In a browser: title of the card, index of the network, interface, and address as written."""


def stops_in(root: ET.Element) -> Iterator[tuple[str, int, str, str]]:
    """Yield the same of a page or picture that was parsed."""
    for card in (e for e in root.iter() if e.get("class") == "pod"):
        pod = card.findtext(f"{SVG}title") or ""
        for column in (e for e in card.iter(f"{SVG}g") if e is not card):
            network, name = 0, ""
            for element in column:
                if element.tag == f"{SVG}use":
                    network = int(element.attrib["href"][2:])
                elif element.get("class") == "i":
                    name = element.text or ""
                else:
                    yield pod, network, name, element.text or ""
