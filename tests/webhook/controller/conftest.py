"""A running controller for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.webhook.controller.running_controller import RunningController, running_controller


@pytest.fixture
async def controller() -> AsyncIterator[RunningController]:
    async with running_controller() as made:
        yield made
