"""`python -m tests.webhook.golden`: write the answers under tests/data/reviews anew.

For a change of answers that is meant: the difference is what users will see, so it is read before
it is committed.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.shop_store import shop_store
from webhook.app import HANDLERS
from webhook.review import encode, parse

DATA = Path(__file__).parent.parent / "data" / "reviews"


def answer(path: str, body: bytes) -> bytes:
    """Return what a hook answers in the shop."""
    review = parse(body)
    return encode(review, HANDLERS[path](review, shop_store()))


def main() -> None:
    """Write every answer."""
    for request in sorted(DATA.glob("*.request.json")):
        name = request.name.removesuffix(".request.json")
        for hook in ("mutate", "validate"):
            path = f"/{hook}/pods"
            target = DATA / f"{name}.{hook}.response.json"
            target.write_bytes(answer(path, request.read_bytes()) + b"\n")


if __name__ == "__main__":
    main()
