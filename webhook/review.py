"""AdmissionReview (admission.k8s.io/v1): parse requests, encode responses; no HTTP, no decision.

A body without a review that can be answered is a `BadInput`, which becomes HTTP 400. Every review
gets one of four answers: `Allowed`, `Patched`, `Rejected` (the object is at fault; all findings at
once) or `Errored` (the webhook cannot judge it now).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import orjson

from planes.model.decode import kind_of
from planes.model.errors import BadInput, Finding, JsonObject, PlanesError
from planes.model.lines import printable, shortened

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
NADS = "k8s.cni.cncf.io/network-attachment-definitions"
PLANES = "netplane.io/planes"

# What the API server keeps (warnings; a longer one is cut, past the total they are dropped) and
# what fits into an Event (message: 1 kB is shown, a client sees all of it).
_WARNING_CHARACTERS = 256
_WARNINGS_CHARACTERS = 4096
_MESSAGE_CHARACTERS = 8192
_CAUSE_CHARACTERS = 1024
_CAUSES = 64

# A name has at most 253. Texts of a request are sent back, logged and remembered: a peer must not
# have 3 MiB of its own sent and kept.
_TEXT_CHARACTERS = 512

_REASONS = {
    400: "BadRequest",
    403: "Forbidden",
    409: "Conflict",
    422: "Invalid",
    503: "ServiceUnavailable",
}
_KINDS = {"pods": "Pod", NADS: "NetworkAttachmentDefinition", PLANES: "Plane"}
_CAUSE_REASONS = {403: "FieldValueForbidden", 409: "FieldValueDuplicate"}
_STATUS_ORDER = (403, 422, 409)  # as `Decision.status` has it


@dataclass(frozen=True, slots=True)
class User:
    """The user of a request, as the API server has authenticated it."""

    name: str = ""
    groups: tuple[str, ...] = ()
    node: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """The request part of an AdmissionReview.

    Attributes:
        resource: `pods`, with the group in front where it is not core: `apps/deployments`.
        user_info: see `user`.
        old: the object before an UPDATE or DELETE.
    """

    uid: str
    operation: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user_info: JsonObject = field(default_factory=dict)
    obj: JsonObject | None = None
    old: JsonObject | None = None
    is_dry_run: bool = False

    @property
    def display_name(self) -> str:
        """The object's name; its prefix with `*` where the name is generated after admission."""
        if self.name:
            return self.name
        meta = (self.obj or self.old or {}).get("metadata")
        prefix = meta.get("generateName") if isinstance(meta, dict) else None
        return f"{shortened(prefix, _TEXT_CHARACTERS)}*" if isinstance(prefix, str) else ""

    @property
    def user(self) -> User:
        """The user of the request; parsed on access, as it is seldom needed."""
        return _user(self.user_info)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Admit the object as it is."""

    verdict: ClassVar[str] = "allowed"
    warnings: Sequence[str] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patched:
    """Admit the object with these JSON Patch operations."""

    verdict: ClassVar[str] = "patched"
    patch: Sequence[JsonObject]
    warnings: Sequence[str] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refuse the object for at least one finding."""

    verdict: ClassVar[str] = "denied"
    findings: Sequence[Finding]
    warnings: Sequence[str] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Errored:
    """Refuse because the object cannot be judged; the error's status says whether to retry."""

    verdict: ClassVar[str] = "errored"
    error: PlanesError
    warnings: Sequence[str] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


Answer = Allowed | Patched | Rejected | Errored


def parse(body: bytes | bytearray) -> Review:
    """Read an AdmissionReview.

    Raises:
        BadInput: it has no review that can be answered.
    """
    try:
        # Not `decode.loads`: it keeps numbers beyond 64 bits exact, which takes a fifth of the
        # parse, and no number of a review is ever sent back.
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"cannot read the AdmissionReview: {error}") from error
    if not isinstance(review, dict):
        raise _wrong("it", "an object", review)
    if review.get("kind") != KIND or review.get("apiVersion") != API_VERSION:
        raise BadInput(
            f"cannot read the AdmissionReview: it is not of kind {KIND} in {API_VERSION}",
            remedy=f"register this webhook with admissionReviewVersions: [{API_VERSION[-2:]}]",
        )
    request = _member(review, "request", "request")
    uid = _text(request, "uid", "request.uid")
    if not uid:
        raise BadInput("cannot read the AdmissionReview: request.uid is missing")
    resource = _member(request, "resource", "request.resource")
    group = _text(resource, "group", "request.resource.group")
    plural = _text(resource, "resource", "request.resource.resource")
    return Review(
        uid=uid,
        operation=_text(request, "operation", "request.operation"),
        resource=f"{group}/{plural}" if group else plural,
        subresource=_text(request, "subResource", "request.subResource"),
        namespace=_text(request, "namespace", "request.namespace"),
        name=_text(request, "name", "request.name"),
        user_info=_member(request, "userInfo", "request.userInfo"),
        obj=_optional(request, "object"),
        old=_optional(request, "oldObject"),
        is_dry_run=request.get("dryRun") is True,
    )


def encode(review: Review, answer: Answer) -> bytes:
    """Return the AdmissionReview with the answer to a review."""
    response: JsonObject = {"uid": review.uid}
    match answer:
        case Allowed():
            response["allowed"] = True
        case Patched():
            response["allowed"] = True
            response["patchType"] = "JSONPatch"
            response["patch"] = b64encode(orjson.dumps(answer.patch)).decode()
        case Rejected():
            response["allowed"] = False
            response["status"] = _refusal(review, answer.findings)
        case Errored():
            response["allowed"] = False
            response["status"] = _status(str(answer.error), answer.error.status)
    if answer.warnings:
        response["warnings"] = limited(answer.warnings)
    if answer.audit:
        response["auditAnnotations"] = dict(answer.audit)
    return orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def limited(warnings: Sequence[str]) -> list[str]:
    """Return warnings as the API server passes them on: printable lines of limited length."""
    kept: list[str] = []
    left = _WARNINGS_CHARACTERS
    for position, warning in enumerate(warnings):
        text = shortened(" ".join(warning.split()), _WARNING_CHARACTERS)
        text = printable(text)
        rest = f"and {len(warnings) - position} more warnings"
        is_last = position == len(warnings) - 1
        if len(text) > left - (0 if is_last else len(rest)):
            kept.append(rest)
            break
        kept.append(text)
        left -= len(text)
    return kept


def _refusal(review: Review, findings: Sequence[Finding]) -> JsonObject:
    statuses = {finding.status for finding in findings}
    code = next((each for each in _STATUS_ORDER if each in statuses), 422)
    if len(findings) == 1:
        message = str(findings[0])
    else:
        numbered = (f"({n}) {finding}" for n, finding in enumerate(findings, 1))
        message = f"{len(findings)} errors: {' '.join(numbered)}"
    status = _status(message, code)
    status["details"] = {
        "name": review.display_name,
        "kind": _KINDS.get(review.resource, review.resource),
        "causes": [
            {
                "reason": _CAUSE_REASONS.get(finding.status, "FieldValueInvalid"),
                "message": shortened(str(replace(finding, path="")), _CAUSE_CHARACTERS),
                "field": shortened(finding.path, _TEXT_CHARACTERS),
            }
            for finding in findings[:_CAUSES]
        ],
    }
    return status


def _status(message: str, code: int) -> JsonObject:
    return {
        "status": "Failure",
        "message": shortened(message, _MESSAGE_CHARACTERS),
        "reason": _REASONS.get(code, "InternalError"),
        "code": code,
    }


def _user(info: JsonObject) -> User:
    name = info.get("username")
    groups = info.get("groups")
    extra = info.get("extra")
    node = extra.get("authentication.kubernetes.io/node-name") if isinstance(extra, dict) else None
    return User(
        name=name if isinstance(name, str) else "",
        groups=tuple(str(group) for group in groups) if isinstance(groups, list) else (),
        node=str(node[0]) if isinstance(node, list) and len(node) == 1 else "",
    )


def _member(parent: JsonObject, key: str, path: str) -> JsonObject:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _optional(request: JsonObject, key: str) -> JsonObject | None:
    return _member(request, key, f"request.{key}") or None


def _text(parent: JsonObject, key: str, path: str) -> str:
    value = parent.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(path, "a string", value)
    if len(value) > _TEXT_CHARACTERS:
        raise BadInput(
            f"cannot read the AdmissionReview: {path} is longer than {_TEXT_CHARACTERS} characters"
        )
    return value


def _wrong(path: str, expected: str, value: Any) -> BadInput:
    return BadInput(
        f"cannot read the AdmissionReview: {path} must be {expected}, not {kind_of(value)}"
    )
