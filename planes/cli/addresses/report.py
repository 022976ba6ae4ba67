"""The report of `netplane ip check --report`, which `ip release --from-report` takes.

It names what does not fit, with what a release compares: UIDs, and digests of what nodes wrote. It
comes from a disk, so every field is checked again, and it proves nothing: a release looks anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.model.addresses import parse_address
from planes.model.errors import BadInput, Denied, JsonObject, Unavailable
from planes.model.lines import one_line
from planes.model.names import is_dns_label, is_dns_subdomain
from planes.run.clock import rfc3339
from planes.run.files import read_regular, replace_named

MAX_BYTES: Final = 16 << 20
MOST_FINDINGS: Final = 4096
MAX_AGE_SECONDS: Final = 86400
_SKEW_SECONDS: Final = 300
_KIND: Final = "netplane-address-report"
_VERSION: Final = 1
_LONGEST_TEXT: Final = 256
_UID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,127}")
_RESOURCE_VERSION: Final = re.compile(r"[0-9]{1,39}")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_POD: Final = re.compile(r"([^/]*)/([^/]*)")


@dataclass(frozen=True, slots=True)
class BlockEvidence:
    """What a release compares with what is there then.

    Attributes:
        block: the name of the IPBlock.
        uid: of the block.
        version: its resourceVersion when the report was made.
        digest: of what the block's node had written, or of the entry of the address.
    """

    block: str
    uid: str
    version: str
    digest: str

    def is_of_same(self, other: BlockEvidence) -> bool:
        """Report whether both are of one block and entry. Others may have written to the block."""
        return (self.block, self.uid, self.digest) == (other.block, other.uid, other.digest)


@dataclass(frozen=True, slots=True)
class ReportedMisfit:
    """A finding; without evidence nothing of it can be released."""

    entry: AuditEntry
    evidence: BlockEvidence | None = None


@dataclass(frozen=True, slots=True)
class MisfitReport:
    """A report.

    Attributes:
        cluster: UID of the namespace kube-system.
        made_at: seconds since 1970.
        left_out: findings beyond `MOST_FINDINGS`.
    """

    cluster: str
    made_at: float
    findings: tuple[ReportedMisfit, ...]
    left_out: int = 0


def report_of(cluster: str, now: float, findings: Iterable[ReportedMisfit]) -> MisfitReport:
    """Return a report of findings; of too many, those that nothing can be released of go first."""
    order = sorted(map(_readable, findings), key=lambda one: (one.evidence is None, one.entry))
    kept = tuple(order[:MOST_FINDINGS])
    return MisfitReport(cluster, now, kept, len(order) - len(kept))


def _readable(one: ReportedMisfit) -> ReportedMisfit:
    """Return a finding without names that are none: anybody may have written some of them."""
    entry = one.entry
    clean = replace(
        entry,
        plane=entry.plane if is_dns_label(entry.plane) else "",
        what=entry.what if _is_address_or_name(entry.what) else "unknown",
        node=entry.node if is_dns_subdomain(entry.node) else "",
        pod=entry.pod if _is_pod(entry.pod) else "",
        text=one_line(entry.text, _LONGEST_TEXT),
    )
    return ReportedMisfit(clean, one.evidence)


def write_report(path: Path, report: MisfitReport) -> None:
    """Write a report, readable for its owner.

    Raises:
        Unavailable: it cannot be written.
    """
    obj = {
        "kind": _KIND,
        "version": _VERSION,
        "cluster": report.cluster,
        "madeAt": rfc3339(report.made_at),
        "leftOut": report.left_out,
        "findings": [_to_json(one) for one in report.findings],
    }
    try:
        replace_named(path, orjson.dumps(obj, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise Unavailable(
            f"cannot write the report {path}: {error.strerror}",
            remedy="name a file in a directory that you may write to, and that has free space",
        ) from error


def read_report_file(path: Path) -> MisfitReport:
    """Read a report.

    Raises:
        BadInput: it cannot be read, or is none.
    """
    try:
        data = read_regular(path, MAX_BYTES, follows=True)
    except OSError as error:
        raise BadInput(
            f"cannot read the report {path}: {error.strerror}",
            remedy="make one: netplane ip check --report FILE",
        ) from error
    try:
        return _report(orjson.loads(data))
    except (orjson.JSONDecodeError, BadInput) as error:
        cause = error.message if isinstance(error, BadInput) else "it is not JSON"
        raise BadInput(
            f"cannot use the report {path}: {cause}",
            remedy="make it anew: netplane ip check --report FILE",
        ) from error


def refuse_foreign(report: MisfitReport, cluster: str, now: float, *, any_age: bool) -> None:
    """Refuse a report of another cluster, of the future, or one that is old.

    Raises:
        Denied: it is not to be used.
    """
    anew = "make a report of this cluster: netplane ip check --report FILE"
    if report.cluster != cluster:
        raise Denied("cannot release by the report: it was made of another cluster", remedy=anew)
    age = now - report.made_at
    if age < -_SKEW_SECONDS:
        text = f"cannot release by the report: it was made at {rfc3339(report.made_at)}, "
        raise Denied(f"{text}which is still to come", remedy="set this machine's clock")
    if age > MAX_AGE_SECONDS and not any_age:
        text = f"cannot release by the report: it was made {age / 3600:.0f} hours ago"
        raise Denied(text, remedy=f"{anew}; or use this one all the same by --any-age")


def _to_json(one: ReportedMisfit) -> JsonObject:
    found, evidence = one.entry.as_json(), one.evidence
    if evidence is not None:
        found["evidence"] = {
            "block": evidence.block,
            "uid": evidence.uid,
            "resourceVersion": evidence.version,
            "digest": evidence.digest,
        }
    return found


def _report(obj: Any) -> MisfitReport:
    if not isinstance(obj, dict) or (obj.get("kind"), obj.get("version")) != (_KIND, _VERSION):
        raise BadInput("it is no report of netplane, or of another version")
    findings, left_out = obj.get("findings"), obj.get("leftOut")
    if not isinstance(findings, list) or len(findings) > MOST_FINDINGS:
        raise BadInput("findings is no list, or too long")
    if type(left_out) is not int or left_out < 0:
        raise BadInput("leftOut is no number")
    return MisfitReport(
        _matching(obj, "cluster", _UID.fullmatch),
        _time(_matching(obj, "madeAt", lambda text: len(text) <= 32)),
        tuple(_finding(each, f"findings[{at}]") for at, each in enumerate(findings)),
        left_out,
    )


def _time(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise BadInput("madeAt is no time") from None


def _finding(obj: Any, where: str) -> ReportedMisfit:
    try:
        return _checked(obj)
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}") from error


def _checked(obj: Any) -> ReportedMisfit:
    if not isinstance(obj, dict):
        raise BadInput("it is no object")
    kind = _matching(obj, "kind", lambda text: text in {each.value for each in Misfit})
    entry = AuditEntry(
        Misfit(kind),
        _matching(obj, "plane", lambda text: not text or is_dns_label(text)),
        _matching(obj, "what", _is_address_or_name),
        _matching(obj, "node", lambda text: not text or is_dns_subdomain(text)),
        _matching(obj, "pod", _is_pod),
        one_line(_matching(obj, "text", lambda text: len(text) <= _LONGEST_TEXT), _LONGEST_TEXT),
    )
    evidence = obj.get("evidence")
    if evidence is None:
        return ReportedMisfit(entry)
    if not isinstance(evidence, dict):
        raise BadInput("evidence is no object")
    return ReportedMisfit(
        entry,
        BlockEvidence(
            _matching(evidence, "block", is_dns_subdomain),
            _matching(evidence, "uid", _UID.fullmatch),
            _matching(evidence, "resourceVersion", _RESOURCE_VERSION.fullmatch),
            _matching(evidence, "digest", _DIGEST.fullmatch),
        ),
    )


def _matching(obj: Mapping[str, Any], key: str, fits: Callable[[str], object]) -> str:
    value = obj.get(key)
    if not isinstance(value, str) or not fits(value):
        raise BadInput(f"{key} is not valid")
    return value


def _is_pod(text: str) -> bool:
    found = _POD.fullmatch(text)
    return not text or (found is not None and is_dns_label(found[1]) and is_dns_subdomain(found[2]))


def _is_address_or_name(text: str) -> bool:
    if is_dns_subdomain(text):
        return True
    try:
        return str(parse_address(text)) == text
    except BadInput:
        return False
