"""Pods restored from a backup carry an old network-status, and are admitted."""

from __future__ import annotations

import pytest

from planes.model.names import OLD_STATUS_ANNOTATION, STATUS_ANNOTATION
from planes.model.patch import apply
from tests.support.webhook.admission import pod_object
from tests.webhook.test_pods import BROKEN, answers, running
from webhook.review import Allowed, Patched, Rejected


@pytest.mark.parametrize("status", ["[]", '[{"name": "cbr0", "interface": "eth0"}]', ""])
def test_a_restored_pod_loses_its_old_network_status_and_is_admitted(status: str) -> None:
    obj = pod_object(annotations={STATUS_ANNOTATION: status, OLD_STATUS_ANNOTATION: status})
    patched, _ = answers(obj)
    assert isinstance(patched, Patched)
    assert [each["op"] for each in patched.patch][:2] == ["remove", "remove"]
    assert len(patched.warnings) == (2 if status else 0)
    after = apply(patched.patch, obj)
    assert {STATUS_ANNOTATION, OLD_STATUS_ANNOTATION}.isdisjoint(after["metadata"]["annotations"])
    again, verdict = answers(after)
    assert isinstance(again, Allowed)
    assert isinstance(verdict, Allowed)


def test_a_restored_pod_at_fault_is_refused_for_its_fault_alone() -> None:
    obj = pod_object(annotations={STATUS_ANNOTATION: "[]", **BROKEN})
    patched, _ = answers(obj)
    assert isinstance(patched, Patched)
    _, verdict = answers(apply(patched.patch, obj))
    assert isinstance(verdict, Rejected)
    assert not any(STATUS_ANNOTATION in finding.path for finding in verdict.findings)


def test_a_status_by_its_old_name_may_go_and_not_come() -> None:
    with_one, without = running({OLD_STATUS_ANNOTATION: "[]"}), running()
    _, coming = answers(with_one, operation="UPDATE", old=without)
    _, going = answers(without, operation="UPDATE", old=with_one)
    assert isinstance(coming, Rejected)
    assert isinstance(going, Allowed)
