"""A real browser without a window: Chromium, asked over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

READY_SECONDS = 20.0
_ANSWER_SECONDS = 20.0


def why_no_browser() -> str:
    """Return why tests with a browser cannot run here; "" where they can."""
    if shutil.which("chromium") is None:
        return "chromium is not installed: scripts/system-packages browser"
    return ""


class Browser:
    """One tab.

    Attributes:
        requests: what it asked for so far.
        console: what pages wrote there, and what the browser says against them.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requests: list[str] = []
        self.console: list[str] = []
        self._loaded = 0

    async def command(self, method: str, **params: Any) -> Mapping[str, Any]:
        """Send a command and return its answer; events on the way are noted."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._receive()
            if message.get("id") == number:
                assert "error" not in message, message
                found: Mapping[str, Any] = message["result"]
                return found

    async def open(self, url: str, *, width: int = 1200, is_dark: bool = False) -> None:
        """Load a page in a window of that width."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.command("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])
        before = self._loaded
        await self.command("Page.navigate", url=url)
        while self._loaded == before:
            await self._receive()

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = await self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def screenshot(self, path: Path) -> None:
        """Write what the whole page looks like, as PNG."""
        answer = await self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json(timeout=_ANSWER_SECONDS)
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Log.entryAdded":
                self.console.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.console.append(json.dumps(params))
            case "Page.loadEventFired":
                self._loaded += 1
        return message


@asynccontextmanager
async def browser(home: Path) -> AsyncIterator[Browser]:
    """Run a browser with a profile of its own; it is ended whatever happens."""
    # A sandbox needs what root and containers do not have; pages of tests are ours.
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    quiet = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
    port = ("--remote-debugging-port=0", f"--user-data-dir={home}")
    # It leaves a folder in TMPDIR, with a socket: `home` may be too long a path for one.
    scratch = TemporaryDirectory(ignore_cleanup_errors=True)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["chromium", *options, *quiet, *port, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(home), "TMPDIR": scratch.name},
            process_group=0,
        )
    try:
        address = await _address(home / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json/list") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            url = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                tab = Browser(socket)
                for domain in ("Page", "Network", "Log", "Runtime"):
                    await tab.command(f"{domain}.enable")
                yield tab
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        scratch.cleanup()


async def _address(file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if lines and lines[0]:
            return f"127.0.0.1:{lines[0]}"
        assert process.poll() is None, "chromium ended at once"
        assert asyncio.get_running_loop().time() < deadline, "chromium is not ready in time"
        await asyncio.sleep(0.05)
