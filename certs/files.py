"""Certificates in a directory: `ca.crt`, `tls.crt`, `tls.key`, and `ca.key` where Netplane signs.

Every file is replaced atomically (`planes.run.files.replace`), and keys are readable by their owner
only. A volume that replaces all files at once by turning a link
(`..data`, as Kubernetes mounts a Secret) is read from behind the link, so that certificate and
key are of the same moment. Keys are written before what belongs to them, so that a crash
between two files leaves either the old state or a pair that is recognised as broken and made
anew. All functions block: call them in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from certs.bundle import Bundle, Certificate, Pair, public_bytes, split_keys
from planes.model.errors import BadInput, Unavailable
from planes.run.files import replace

ROOTS = "ca.crt"
ROOT_KEYS = "ca.key"
CHAIN = "tls.crt"
KEY = "tls.key"

_GENERATION = "..data"  # kubernetes/pkg/volume/util/atomic_writer.go
_TRIES = 3
_LARGEST_BYTES = 1 << 20  # a Secret holds no more


@dataclass(frozen=True, slots=True)
class DirectoryContent:
    """The content of a directory.

    Attributes:
        is_ours: true where the root's key is there, or nothing is there yet.
        bundle: its serving pair is None where it is missing or broken.
        broken: why the serving pair cannot be used, where it is broken.
    """

    is_ours: bool
    bundle: Bundle = field(default_factory=Bundle)
    broken: BadInput | None = None


def read(directory: Path) -> DirectoryContent:
    """Read a directory.

    Raises:
        BadInput: roots or their keys are broken; they are never replaced silently, because
            clients may have been given the old ones.
        Unavailable: a file cannot be read now.
    """
    for _ in range(_TRIES):
        contents = _contents(directory)
        if contents is not None:
            return _found(directory, contents)
    raise Unavailable(f"cannot read {directory}: it is being replaced again and again")


def _contents(directory: Path) -> dict[str, bytes | None] | None:
    """Read all files of one generation; None where they were replaced meanwhile."""
    generation = os.path.realpath(directory / _GENERATION)
    target = Path(generation) if os.path.isdir(generation) else directory
    contents = {name: _content(target / name) for name in (ROOTS, ROOT_KEYS, CHAIN, KEY)}
    return contents if os.path.realpath(directory / _GENERATION) == generation else None


def _found(directory: Path, contents: dict[str, bytes | None]) -> DirectoryContent:
    chain, key = contents[CHAIN], contents[KEY]
    roots_pem, keys_pem = contents[ROOTS], contents[ROOT_KEYS]
    if keys_pem is None and roots_pem is not None and not roots_pem.strip():
        roots_pem = None  # an issuer that publishes no root leaves it empty
    roots = () if roots_pem is None else Certificate.parse_all(roots_pem, f"{directory / ROOTS}")
    keys = () if keys_pem is None else split_keys(keys_pem)
    if keys_pem is not None and not keys:
        raise BadInput(
            f"cannot read {directory / ROOT_KEYS}: it holds no PEM private key",
            remedy=f"restore it, or remove {ROOT_KEYS}, {ROOTS}, {CHAIN} and {KEY} to start anew",
        )
    for each in keys:
        public_bytes(each, f"{directory / ROOT_KEYS}")
    is_ours = bool(keys) or (chain is None and key is None and not roots)
    serving, broken = _serving(directory, chain, key)
    return DirectoryContent(is_ours, Bundle(roots, keys, serving), broken)


def write_roots(directory: Path, roots: Sequence[Certificate], keys: Sequence[bytes]) -> None:
    """Replace the roots and the keys they sign with.

    Raises:
        Unavailable: the directory cannot be written.
    """
    before = _content(directory / ROOT_KEYS) or b""
    # Old and new keys are both there until the roots are written: after a crash, either can sign.
    both = dict.fromkeys((*split_keys(before), *keys))
    _replace(directory / ROOT_KEYS, b"".join(both), 0o600)
    _replace(directory / ROOTS, b"".join(root.pem for root in roots), 0o644)
    if tuple(both) != tuple(keys):
        _replace(directory / ROOT_KEYS, b"".join(keys), 0o600)


def write_serving(directory: Path, pair: Pair) -> None:
    """Replace the serving pair.

    Raises:
        Unavailable: the directory cannot be written.
    """
    _replace(directory / KEY, pair.key, 0o600)
    _replace(directory / CHAIN, pair.chain, 0o644)


def _serving(
    directory: Path, chain: bytes | None, key: bytes | None
) -> tuple[Pair | None, BadInput | None]:
    if chain is None and key is None:
        return None, None
    what = f"{directory / CHAIN}"
    if chain is None or key is None:
        missing = CHAIN if chain is None else KEY
        remedy = "put certificate and key there together"
        return None, BadInput(f"cannot use {what}: {missing} is missing", remedy=remedy)
    try:
        return Pair.parse(chain, key, what), None
    except BadInput as exc:
        return None, exc


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise Unavailable(
            f"cannot read {path}: {exc.strerror or exc}", remedy="check its owner and mode"
        ) from exc


def _replace(path: Path, content: bytes, mode: int) -> None:
    try:
        replace(path, content, mode=mode, makes_directory=False)
    except OSError as exc:
        raise Unavailable(
            f"cannot write {path}: {exc.strerror or exc}",
            remedy="make the certificate directory writable, or free space on its disk",
        ) from exc
