"""The commands that documents show: taken out of their sh blocks, to be run as they stand."""

from __future__ import annotations

import re

from tests.cluster.lab.binaries import ROOT


def blocks(document: str, heading: str) -> list[str]:
    """Return the sh blocks below a heading of the second level, in their order.

    Raises:
        AssertionError: There is no such heading, or no block below it.
    """
    text = (ROOT / document).read_text()
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, flags=re.S | re.M)
    assert section is not None, f"{document} has no heading {heading}"
    found = re.findall(r"^```sh\n(.*?)^```", section[1], flags=re.S | re.M)
    assert found != [], f"{document} shows no commands below {heading}"
    return found
