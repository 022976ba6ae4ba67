"""A TLS session to an API server, made by kubernetes_asyncio from what `Credentials` read.

Invariant: nothing of the environment (proxies, .netrc) takes part, and no secret touches a disk.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator

import aiohttp

from planes.kube import lean
from planes.kube.credentials import Access, Material
from planes.model.errors import BadInput

_CONNECTIONS = 64  # each watch holds one
_READ_BYTES = 1 << 18


def open_session(access: Access, material: Material, user_agent: str) -> aiohttp.ClientSession:
    """Make a session; it connects when it is first used.

    Raises:
        BadInput: the CA, certificate or key cannot be used.
    """
    configuration = lean.load("configuration").Configuration(host=access.server)
    configuration.connection_pool_maxsize = _CONNECTIONS
    # Python 3.13 refuses CAs without the extensions that many clusters' CAs lack.
    configuration.disable_strict_ssl_verification = True
    with contextlib.ExitStack() as stack:
        for name, data in (
            ("ssl_ca_cert", material.authority),
            ("cert_file", material.certificate),
            ("key_file", material.key),
        ):
            if data is not None:
                setattr(configuration, name, stack.enter_context(_as_path(data)))
        try:
            made: aiohttp.ClientSession = (
                lean.load("rest").RESTClientObject(configuration).pool_manager
            )
        except (OSError, ssl.SSLError, ValueError) as error:
            raise BadInput(
                f"cannot set up TLS to {access.server}: the CA, client certificate or key is not "
                f"usable ({type(error).__name__})",
                remedy="check that they are PEM and belong together",
            ) from error
    connector = made.connector
    made.detach()  # its connector serves our session, which asks no environment for a proxy
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        # We ask for none, and 256 KiB may hold 256 MiB.
        auto_decompress=False,
        read_bufsize=_READ_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
    )


@contextlib.contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    with os.fdopen(os.memfd_create("netplane"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
