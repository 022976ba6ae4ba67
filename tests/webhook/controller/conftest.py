"""A reign for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.webhook.controller.reign import Reign, reigning


@pytest.fixture
async def reign() -> AsyncIterator[Reign]:
    async with reigning() as made:
        yield made
