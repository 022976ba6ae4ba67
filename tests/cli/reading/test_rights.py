"""The right that is missing, and the commands that give it, for whatever a server writes."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.reading.rights import remedy_of, with_right
from planes.kube.client.status_errors import Asked, refusal_of_status
from planes.kube.errors import Forbidden, MissingRight
from planes.kube.resources import PLANES, PODS
from planes.model.errors import Denied, Unavailable


def refused(message: str) -> Denied:
    error = refusal_of_status(Asked("list", PODS), 403, {"message": message})
    assert isinstance(error, Denied)
    return error


@pytest.mark.parametrize(
    ("message", "right"),
    [
        (
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" '
            "at the cluster scope",
            MissingRight("jane", "list", "pods"),
        ),
        (
            'pods "a" is forbidden: User "j" cannot patch resource "pods/status" in API group "" '
            'in the namespace "shop"',
            MissingRight("j", "patch", "pods/status", "shop"),
        ),
        (
            'x is forbidden: User "j" cannot update resource "planes/status" '
            'in API group "netplane.io" at the cluster scope: Azure does not have opinion',
            MissingRight("j", "update", "planes.netplane.io/status"),
        ),
    ],
)
def test_a_right_is_read_from_what_rbac_says(message: str, right: MissingRight) -> None:
    error = refused(message)
    assert isinstance(error, Forbidden)
    assert error.right == right
    assert error.remedy == right.text
    assert with_right(error).remedy.startswith(f"{right.text}; an administrator gives it:\n")


@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "x" denied the request: cannot list resource "pods"',
        'ValidatingAdmissionPolicy "p" with binding "b" denied request: no',
        "",
    ],
)
def test_what_a_policy_denies_lacks_no_right(message: str) -> None:
    error = refused(message)
    assert not isinstance(error, Forbidden)
    assert with_right(error) is error


def test_other_errors_stay_as_they_are() -> None:
    error = Unavailable("cannot list pods: no answer in time")
    assert with_right(error) is error


def test_a_right_in_one_namespace_is_given_there() -> None:
    text = remedy_of(MissingRight("jane", "delete", "pods", "shop"))
    assert text.startswith("the right to delete pods in namespace shop is missing;")
    assert "kubectl create rolebinding netplane-delete-pods -n shop " in text
    assert "--verb=delete" in text


def test_a_service_account_is_bound_as_one() -> None:
    text = remedy_of(MissingRight("system:serviceaccount:ops:night", "list", "nodes"))
    assert text.endswith("--serviceaccount=ops:night")


@given(st.text())
def test_a_name_of_a_user_is_one_word_of_the_command(user: str) -> None:
    """The name comes from outside, and the command is meant to be pasted into a shell."""
    lines = remedy_of(MissingRight(user, "list", "pods")).splitlines()
    assert len(lines) == 3
    words = shlex.split(lines[-1])
    assert len(words) == 6
    assert words[-1] in {f"--user={user}", "--user=NAME"} or user.startswith("system:")


@given(st.text(max_size=400))
def test_no_message_of_a_server_breaks_the_reading(message: str) -> None:
    assert isinstance(
        refusal_of_status(Asked("get", PLANES, "", "a"), 403, {"message": message}), Denied
    )
