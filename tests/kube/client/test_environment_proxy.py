"""The proxy of the environment is used where kubectl uses it, by commands alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from planes.kube.client.access import connect
from planes.kube.client.environment_proxy import environment_proxy
from planes.kube.resources import PLANES
from planes.model.errors import BadInput
from tests.support.kube.scripted_api import ScriptedApi, says

PROXY = "http://proxy.example:3128"
PLANE = {"metadata": {"name": "red"}}


@pytest.mark.parametrize(
    ("server", "env"),
    [
        ("https://api.example:6443", {"HTTPS_PROXY": PROXY}),
        ("https://api.example:6443", {"https_proxy": "proxy.example:3128"}),
        ("http://api.example", {"HTTP_PROXY": PROXY, "HTTPS_PROXY": "http://other"}),
        (
            "https://api.example",
            {"HTTPS_PROXY": PROXY, "NO_PROXY": "other,,.api.example,10.0.0.0/8"},
        ),
        ("https://myexample", {"HTTPS_PROXY": PROXY, "NO_PROXY": "example"}),
        ("https://api.example:6443", {"HTTPS_PROXY": PROXY, "NO_PROXY": "api.example:443"}),
        ("https://10.1.0.1", {"HTTPS_PROXY": PROXY, "no_proxy": "10.2.0.0/16,10.1.0.2"}),
    ],
)
def test_a_server_has_the_proxy_that_is_named(server: str, env: dict[str, str]) -> None:
    assert environment_proxy(server, env) == PROXY


@pytest.mark.parametrize(
    ("server", "exempt"),
    [
        ("https://api.example:6443", "*"),
        ("https://api.example:6443", "other, API.example"),
        ("https://api.example:6443", "example"),
        ("https://api.example:6443", ".example"),
        ("https://api.example:6443", "*.example"),
        ("https://api.example:6443", "api.example:6443"),
        ("https://10.1.0.1", "10.1.0.0/16"),
        ("https://10.1.0.1", "10.1.0.1"),
        ("https://[fd00::1]:6443", "fd00::/64"),
        ("https://localhost:6443", ""),
        ("https://127.0.0.1:6443", ""),
        ("https://[::1]:6443", ""),
    ],
)
def test_a_server_that_is_exempt_or_on_this_machine_has_none(server: str, exempt: str) -> None:
    assert environment_proxy(server, {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}) == ""


def test_a_proxy_that_cannot_be_used_is_said_without_its_login() -> None:
    with pytest.raises(BadInput) as caught:
        environment_proxy("https://a", {"HTTPS_PROXY": "socks5://jane:hunter2@p:1"})
    assert "cannot use the proxy of HTTPS_PROXY: it is not an http://" in caught.value.message
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_exemption_is_read(text: str) -> None:
    environment_proxy("https://10.1.0.1:6443", {"HTTPS_PROXY": PROXY, "NO_PROXY": text})


class Proxy:
    """Relays CONNECT to one port of this machine."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n")[0].decode())
        upstream, down = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_copy(reader, down), _copy(upstream, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_a_command_goes_through_the_proxy_and_checks_the_server_s_certificate(
    api: ScriptedApi, tmp_path: Path
) -> None:
    """The server's name exists at the proxy only; its certificate is that of 127.0.0.1."""
    proxy = Proxy(api.port)
    served = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = served.sockets[0].getsockname()[1]
    (tmp_path / "ca.crt").write_bytes(api.root.certificate.pem)
    cluster = {
        "server": "https://api.invalid:6443",
        "certificate-authority": "ca.crt",
        "tls-server-name": "127.0.0.1",
    }
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(content))
    api.then(says(PLANE))
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
    async with connect(path, user_agent="test", env=env, follows_proxies=True) as client:
        assert await client.get(PLANES, "red") == PLANE
    assert proxy.asked == ["CONNECT api.invalid:6443 HTTP/1.1"]
    served.close()
    await served.wait_closed()
