"""A native type as a plugin of the chain: each verb is steps, carried out by the engine.

Adding a type takes a class with these methods in a file of its own below `types`, and a line in
`cni/native/registry.py`.
"""

from __future__ import annotations

from typing import Protocol

from cni.ipam.ipams import Ipams
from cni.native.engine import Engine
from cni.native.steps import (
    AddressesReady,
    Attached,
    CheckAddresses,
    ReleaseAddresses,
    Steps,
)
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result


class NativeType(Protocol):
    """What differs between native types. Every method, and every step, raises `PlanesError`."""

    def unsupported(self, conf: NetConf) -> str:
        """Return why only the binary can carry out this netconf; "" where we can."""
        ...

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Return the steps of ADD; they result in the canonical (newest) form of the result."""
        ...

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return the steps of CHECK, without those of IPAM; they raise at the first difference."""
        ...

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return the names of the sandbox interfaces that DEL removes, before `detach`."""
        ...

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether `detach` has something to do."""
        ...

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return the steps that undo what is left besides links and addresses.

        They may be carried out twice, with the links and the sandbox gone, without a prevResult,
        and after an ADD that failed anywhere.
        """
        ...

    def status(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return the steps of STATUS, without those of IPAM."""
        ...


class LinkType:
    """Defaults of a type that makes the interface CNI_IFNAME and leaves nothing else."""

    def unsupported(self, conf: NetConf) -> str:
        """Return "": no netconf needs the binary."""
        return ""

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return the interface."""
        return (call.ifname,)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return False."""
        return False

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return no steps."""
        yield from ()

    def status(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return no steps."""
        yield from ()


def checking(
    native: NativeType, call: Call, conf: NetConf, *, has_ipam: bool | None = None
) -> Steps[None]:
    """Return the steps of CHECK, with those of IPAM.

    Args:
        native: the type.
        call: the CHECK.
        conf: its netconf.
        has_ipam: whether addresses are checked; None where the netconf has an IPAM type.

    Raises:
        PlanesError: something differs.
    """
    if bool(conf.ipam_type) if has_ipam is None else has_ipam:
        yield from CheckAddresses(call, conf)
    yield from native.check(call, conf)


def releasing(
    native: NativeType, call: Call, conf: NetConf, *, has_ipam: bool | None = None
) -> Steps[None]:
    """Return the steps that undo what is left besides links, addresses last.

    Args:
        native: the type.
        call: the DEL.
        conf: its netconf.
        has_ipam: whether addresses are released; None where the netconf has an IPAM type.

    Raises:
        PlanesError: something is left.
    """
    failure: PlanesError | None = None
    try:
        yield from native.detach(call, conf)
    except PlanesError as error:  # addresses are released all the same
        failure = error
    if bool(conf.ipam_type) if has_ipam is None else has_ipam:
        yield from ReleaseAddresses(call, conf)
    if failure is not None:
        raise failure


class SteppedPlugin:
    """One native type; addresses of its IPAM are checked and released here for all types.

    `adding` and `releasing` are the steps of `add` and `release`, for a caller that carries out
    those of several attachments together.

    Args:
        native: the type.
        engine: carries out its steps.
        ipams: have the addresses.
        is_independent: up to the end of `configure_link`, its ADD neither uses nor changes what
            other attachments of the pod have made; False where that is not known.
        delegates: the addresses are those of another type that it delegates to.
    """

    def __init__(
        self,
        native: NativeType,
        engine: Engine,
        ipams: Ipams,
        *,
        is_independent: bool = False,
        delegates: bool = False,
    ) -> None:
        self._delegates = delegates
        self.is_independent = is_independent
        self._native = native
        self._engine = engine
        self._ipams = ipams

    def unsupported(self, conf: NetConf) -> str:
        """Return why only the binary can carry out this netconf; "" where we can."""
        return self._native.unsupported(conf)

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return the sandbox interfaces to remove."""
        return self._native.links(call, conf)

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Attach.

        Raises:
            PlanesError: it cannot be done; nothing is left of it.
        """
        return await self._engine.run(call.netns, self._native.attach(call, conf))

    def adding(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Return the steps of ADD; once they are over, only `releasing` reverses them.

        Raises:
            PlanesError: it cannot be done.
        """
        result = yield from self._native.attach(call, conf)
        yield from Attached()
        return result

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the kernel, or the addresses held, differ from the prevResult.

        Raises:
            PlanesError: they do.
        """
        has_ipam = self._has_ipam(conf)
        steps = checking(self._native, call, conf, has_ipam=has_ipam)
        await self._engine.run(call.netns, steps)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Undo what is left besides the links, after they are gone.

        Raises:
            PlanesError: something is left.
        """
        await self._engine.run(call.netns, self.releasing(call, conf))

    def releasing(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return the steps of `release`.

        Raises:
            PlanesError: something is left.
        """
        return releasing(self._native, call, conf, has_ipam=self._has_ipam(conf))

    def has_release(self, call: Call, conf: NetConf) -> bool:
        """Report whether `release` has something to do."""
        return self._has_ipam(conf) or self._native.leaves(call, conf)

    def _has_ipam(self, conf: NetConf) -> bool:
        return bool(conf.ipam_type) and not self._delegates

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD cannot succeed (CNI STATUS).

        Raises:
            PlanesError: it cannot.
        """
        await self._engine.run("", self._status(call, conf))

    def _status(self, call: Call, conf: NetConf) -> Steps[None]:
        yield from self._native.status(call, conf)
        if self._has_ipam(conf):
            yield from AddressesReady(call, conf)
