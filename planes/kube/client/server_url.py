"""Check the URLs of a kubeconfig before anything is sent to them."""

from __future__ import annotations

from urllib.parse import urlsplit


def url_fault(url: str, *, allows_login: bool) -> str:
    """Return what is wrong with a URL of a server or a proxy, "" where nothing is.

    The text does not quote the URL, which may have a password.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  it is read when it is asked for
    except ValueError:
        return "is no address that can be read"
    if parts.scheme not in {"http", "https"}:
        return "is not an http:// or https:// address"
    if not host or not url.isprintable() or " " in url:
        return "is no address that can be read"
    if "@" in parts.netloc and not allows_login:
        return "has a login in it"
    return ""
