"""The messages of the kubelet's pod resources API that we use (k8s.io/kubelet podresources/v1).

Four small messages are read and one is written, so their wire format is decoded here and no code is
generated. Fields that are not used are skipped, as protobuf prescribes.

Invariant: bytes that are no such message, or one of very many fields, raise `Unavailable`; no other
error leaves this module. It runs in the event loop, so the fields are counted: 16 MiB of small ones
would take half a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from planes.model.errors import Unavailable

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT: Final = 10  # bytes of a 64-bit number
_MOST_FIELDS: Final = 1 << 18  # a second; a node of 500 pods with ten containers has some 30,000


class ContainerDevice(NamedTuple):
    """Devices of one resource that a container has."""

    resource: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PodResources:
    """The devices of one pod.

    Attributes:
        namespace: the pod's.
        name: the pod's.
        containers: of each container the devices, in the order of the pod's containers.
    """

    namespace: str
    name: str
    containers: tuple[tuple[ContainerDevice, ...], ...]


def encode_pod(namespace: str, name: str) -> bytes:
    """Return a GetPodResourcesRequest: pod_name = 1, pod_namespace = 2."""
    return _text_field(1, name) + _text_field(2, namespace)


def decode_get(data: bytes) -> PodResources | None:
    """Read a GetPodResourcesResponse: pod_resources = 1; None where it has none.

    Raises:
        Unavailable: it is no such message.
    """
    reading = _FieldReader()
    found = list(reading.messages(data, 1))
    return reading.pod(found[-1]) if found else None


def decode_list(data: bytes, namespace: str, name: str) -> tuple[PodResources, ...]:
    """Read the entries of one pod in a ListPodResourcesResponse: repeated pod_resources = 1.

    Raises:
        Unavailable: it is no such message.
    """
    reading = _FieldReader()
    return tuple(
        reading.pod(entry)
        for entry in reading.messages(data, 1)
        if (reading.text(entry, 2), reading.text(entry, 1)) == (namespace, name)
    )


class _FieldReader:
    """The reading of one answer, which counts its fields."""

    def __init__(self) -> None:
        self._left = _MOST_FIELDS

    def pod(self, data: bytes) -> PodResources:
        """Read PodResources: name = 1, namespace = 2, containers = 3."""
        containers = tuple(map(self._devices, self.messages(data, 3)))
        return PodResources(self.text(data, 2), self.text(data, 1), containers)

    def _devices(self, container: bytes) -> tuple[ContainerDevice, ...]:
        """Read ContainerResources.devices = 2: resource_name = 1, device_ids = 2."""
        return tuple(
            ContainerDevice(self.text(each, 1), tuple(map(_decoded, self.messages(each, 2))))
            for each in self.messages(container, 2)
        )

    def text(self, data: bytes, number: int) -> str:
        """Return a string field, the last one where it is repeated; "" where it is absent."""
        found = list(self.messages(data, number))
        return _decoded(found[-1]) if found else ""

    def messages(self, data: bytes, number: int) -> Iterator[bytes]:
        """Yield the length-delimited values of one field, in order."""
        at, end = 0, len(data)
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise _garbled(f"it has more than {_MOST_FIELDS} fields")
            tag, at = _varint(data, at)
            kind = tag & 7
            if kind == _VARINT:
                _ignored, at = _varint(data, at)
                continue
            if kind == _BYTES:
                size, at = _varint(data, at)
            elif kind in _FIXED_SIZES:
                size = _FIXED_SIZES[kind]
            else:
                raise _garbled(f"it has a field of wire type {kind}")
            if size > end - at:
                raise _garbled("it is cut")
            if tag == number << 3 | _BYTES:
                yield data[at : at + size]
            at += size


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _garbled("a text is not UTF-8") from error


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, least significant first, and the place after it."""
    value = 0
    for shift, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise _garbled("a number is cut")


def _text_field(number: int, text: str) -> bytes:
    data = text.encode()
    return bytes((number << 3 | _BYTES,)) + _encoded(len(data)) + data if data else b""


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _garbled(cause: str) -> Unavailable:
    return Unavailable(f"cannot read the kubelet's answer: {cause}")
