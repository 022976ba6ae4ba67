"""Multus' own protocol, for shims and controllers that use it already.

`POST /cni` and `/delegate` carry `{"env":{…},"config":"<base64>"}`; an ADD answers
`{"Result":{…}}` in the 1.0.0 form, which the Multus shim converts, every other verb an empty
body; an error is HTTP 400 with a CNI error object. Multus sends its whole environment, of which
only the CNI variables are read.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cni.call import VARIABLES, CniRequest, parse_call
from cni.serving.protocol import Answer
from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.wire.cniversion import Verb
from planes.model.wire.result import parse_result

RESULT_VERSION: Final = "1.0.0"
_WHAT: Final = "the Multus request"


@dataclass(frozen=True, slots=True)
class InterfaceAttributes:
    """What `/delegate` requests for its interface.

    Attributes:
        ips: addresses, as in a network selection element.
        mac: hardware address, "" for any.
        cni_args: merged into `args.cni` of the configuration.
    """

    ips: tuple[str, ...] = ()
    mac: str = ""
    cni_args: JsonObject | None = None


class Delegates(Protocol):
    """Attaches one network to a running sandbox, beside those of the pod's ADD."""

    async def delegate(self, request: CniRequest, attributes: InterfaceAttributes) -> bytes:
        """Carry out a call with the request's own configuration; return stdout, see `Verbs.handle`.

        Raises:
            PlanesError: why the call failed.
        """
        ...


def parse_multus(body: bytes) -> tuple[CniRequest, InterfaceAttributes]:
    """Parse a request of the Multus shim.

    Raises:
        BadInput: code 6 for a body of another form; otherwise see `parse_call`.
    """
    fields = Fields(loads_object(body, _WHAT), _WHAT)
    request = parse_call(_variables(fields), _config(fields))
    asked = fields.child("interfaceAttributes")
    if asked is None:
        return request, InterfaceAttributes()
    cni_args = asked.object("cni-args")
    return request, InterfaceAttributes(asked.strings("ips"), asked.string("mac"), cni_args)


def multus_body(request: CniRequest, answer: Answer) -> bytes:
    """Return the body of a successful answer.

    Raises:
        PlanesError: the result cannot be written as 1.0.0.
    """
    if request.verb is not Verb.ADD:
        return b""
    result = parse_result(answer.stdout, default_version=request.cni_version)
    return dumps({"Result": result.to_version(RESULT_VERSION)}, "the CNI result")


def _variables(fields: Fields) -> Mapping[str, str]:
    env = fields.child("env")
    return {name: env.string(name) for name in VARIABLES} if env else {}


def _config(fields: Fields) -> bytes:
    try:
        return binascii.a2b_base64(fields.string("config"), strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(
            f"cannot read {_WHAT}: config must be base64", code=CniCode.DECODE
        ) from error
