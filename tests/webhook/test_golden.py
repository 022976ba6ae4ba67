"""Reviews as an API server sends them, and the exact bytes of our answers.

A changed answer is a change that users see: `python -m tests.webhook.golden` writes the files under
tests/data/reviews, and the difference is read. Each `<name>.request.json` has an answer per path.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.patch import apply
from tests.support.shop_store import shop_store
from tests.support.webhook.admission import hooked

DATA = Path(__file__).parent.parent / "data" / "reviews"
ANSWERS = sorted(path.name for path in DATA.glob("*.response.json"))


@pytest.mark.parametrize("answer", ANSWERS)
async def test_the_answer_is_byte_for_byte(answer: str) -> None:
    name, hook_name = answer.removesuffix(".response.json").rsplit(".", 1)
    body = (DATA / f"{name}.request.json").read_bytes()
    async with hooked(shop_store()) as hook:
        reply = await hook.ask(f"/{hook_name}/pods?timeout=5s", body)
    assert reply.status == 200
    assert reply.body == (DATA / answer).read_bytes().rstrip(b"\n")


def test_every_request_has_both_answers() -> None:
    requests = [path.name.removesuffix(".request.json") for path in DATA.glob("*.request.json")]
    wanted = {
        f"{name}.{hook}.response.json" for name in requests for hook in ("mutate", "validate")
    }
    assert set(ANSWERS) == wanted


@pytest.mark.parametrize("name", ["deployment-pod", "statefulset-ordinal", "comma-list-kept"])
async def test_a_patched_pod_is_complete_and_accepted(name: str) -> None:
    """Reinvocation finds nothing to do, and validation sees what it expects, without a warning."""
    review: JsonObject = orjson.loads((DATA / f"{name}.request.json").read_bytes())
    async with hooked(shop_store()) as hook:
        first = (await hook.ask("/mutate/pods", review)).response
        review["request"]["object"] = apply(
            orjson.loads(b64decode(first["patch"])), review["request"]["object"]
        )
        second = (await hook.ask("/mutate/pods", review)).response
        verdict = (await hook.ask("/validate/pods", review)).response
    assert second["allowed"]
    assert "patch" not in second
    assert verdict["allowed"]
    assert "warnings" not in verdict
