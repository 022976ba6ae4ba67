"""The kubelet's pod resources API: gRPC over a unix socket.

`Get` reads one pod, where the kubelet has it (Kubernetes 1.34 and later). Otherwise `List` reads
all pods of the node. grpcio is loaded at the first question, as most nodes have no such network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cni.call import PodIdentity
from cni.devices.messages import PodResources, decode_get, decode_list, encode_pod
from planes.model.errors import Unavailable
from planes.run.backoff import Backoff

SECONDS: Final = 10.0  # as Multus, for all tries together
MOST_BYTES: Final = 16 << 20  # as Multus; a List has some 100 bytes for each container
_SERVICE: Final = "/v1.PodResourcesLister"
_TRIES: Final = 4
_FIRST_WAIT: Final = 0.1  # the kubelet allows 100 requests a second (DefaultPodResourcesQPS)
_LONGEST_WAIT: Final = 1.0

T = TypeVar("T")


class PodResourcesSocket:
    """Asks a kubelet for the devices of pods.

    Args:
        path: returns the path of the socket, as this process sees it.
        seconds: the longest that a question may take, with its retries.
    """

    def __init__(self, path: Callable[[], str], *, seconds: float = SECONDS) -> None:
        self._path = path
        self._seconds = seconds

    async def ask(self, pod: PodIdentity) -> PodResources | None:
        """Return the devices of a pod; None where the kubelet does not know the pod.

        Raises:
            Unavailable: the kubelet does not answer, or not in time; its answer is too large, is
                no such message, or has two pods of that name.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(pod)
        except TimeoutError as error:
            raise self._failed(f"no answer within {self._seconds:g} seconds") from error

    async def _ask(self, pod: PodIdentity) -> PodResources | None:
        import grpc.aio  # noqa: PLC0415 - 30 ms and 10 MB, for nodes with devices only

        options = [
            ("grpc.max_receive_message_length", MOST_BYTES),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        async with grpc.aio.insecure_channel(f"unix:{self._path()}", options=options) as channel:
            found = await self._get(channel, pod)
            if found is None:
                found = await self._list(channel, pod)
        if found is not None and (found.namespace, found.name) != (pod.namespace, pod.name):
            raise self._failed("it is about another pod")
        return found

    async def _get(self, channel: Any, pod: PodIdentity) -> PodResources | None:
        """Call Get; None where the kubelet does not have it, or not the pod.

        A kubelet with the feature gate off, and one that does not know the pod, both answer with
        the code UNKNOWN.
        """
        import grpc  # noqa: PLC0415 - see `_ask`

        request = encode_pod(pod.namespace, pod.name)
        absent = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNKNOWN)
        try:
            return await self._call(channel, "Get", request, decode_get)
        except grpc.aio.AioRpcError as error:
            if error.code() in absent:
                return None
            raise self._failed(_cause(error)) from error

    async def _list(self, channel: Any, pod: PodIdentity) -> PodResources | None:
        import grpc  # noqa: PLC0415 - see `_ask`

        def decode(data: bytes) -> tuple[PodResources, ...]:
            return decode_list(data, pod.namespace, pod.name)

        try:
            found = await self._call(channel, "List", b"", decode)
        except grpc.aio.AioRpcError as error:
            raise self._failed(_cause(error)) from error
        if len(found) > 1:  # an old pod that is not gone yet: it is not told which is which
            raise self._failed("it has two pods of that name")
        return found[0] if found else None

    async def _call(
        self, channel: Any, method: str, request: bytes, decode: Callable[[bytes], T]
    ) -> T:
        """Call a method; the kubelet's rate limit and a restart of it are waited out.

        Raises:
            AioRpcError: the last failure.
            Unavailable: the answer is no such message.
        """
        import grpc  # noqa: PLC0415 - see `_ask`

        passing = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
        for left in range(_TRIES - 1, -1, -1):
            try:
                # The bytes are decoded here, not inside grpc, which would hide our errors.
                return decode(await channel.unary_unary(f"{_SERVICE}/{method}")(request))
            except grpc.aio.AioRpcError as error:
                if not left or error.code() not in passing or _is_too_large(error):
                    raise
            await asyncio.sleep(backoff.next())
        raise AssertionError("unreachable: the last try returns or raises")

    def _failed(self, cause: str) -> Unavailable:
        return Unavailable(f"cannot ask the kubelet at {self._path()} for devices: {cause}")


def _is_too_large(error: Any) -> bool:
    """Report whether an answer exceeds our own limit: the code is that of a rate limit."""
    return "larger than max" in (error.details() or "")


def _cause(error: Any) -> str:
    """Return the code and one line of an error; details come from the kubelet."""
    details = " ".join((error.details() or "").split())[:200]
    return f"{error.code().name}: {details}" if details else str(error.code().name)
