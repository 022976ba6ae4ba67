"""The API server that a client is tested against: a real socket, scripted responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.kube.scripted_api import ScriptedApi, scripted_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    async with scripted_api(tmp_path) as served:
        yield served
