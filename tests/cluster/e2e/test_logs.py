"""What an operator reads: lines of JSON, one pod followed by its UID, nothing secret."""

from __future__ import annotations

import json

import pytest

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.netplane import SYSTEM, Netplane, Workspace
from tests.cluster.workloads import pod

PARTS = ("netplane-webhook", "netplane-cni")


@pytest.mark.parametrize("part", PARTS)
def test_every_line_is_an_object_with_time_level_and_event(
    netplane: Netplane, space: Workspace, part: str
) -> None:
    space.apply(pod("one"))
    space.wait_ready("one")
    lines = netplane.log(part)
    assert lines != []
    for line in lines:
        entry = json.loads(line)
        assert {"ts", "level", "event", "logger"} <= set(entry), line


def test_a_pod_is_followed_by_its_uid_from_review_to_removal(
    netplane: Netplane, space: Workspace
) -> None:
    space.apply(pod("one"))
    space.wait_ready("one")
    uid = space.get("pod", "one")["metadata"]["uid"]
    space.kubectl("delete", "pod", "one", "--wait")

    def followed() -> bool:
        said = [json.loads(line) for line in netplane.log("netplane-cni") if uid in line]
        assert all(entry["pod"] == f"{space.name}/one" for entry in said)
        return {"ADD", "DEL"} <= {entry.get("verb") for entry in said}

    space.cluster.wait_for("ADD and DEL of the pod", followed)


def test_the_webhook_tells_of_a_review_with_the_uid_of_the_pod(
    netplane: Netplane, spaces: Spaces
) -> None:
    """A pod has its UID before it is validated, and that is what the webhook writes."""
    space = spaces(business="enabled")
    space.apply(pod("one"))
    space.wait_ready("one")
    uid = space.get("pod", "one")["metadata"]["uid"]
    space.cluster.wait_for("review", lambda: any(uid in line for line in log_of_webhook(netplane)))


def log_of_webhook(netplane: Netplane) -> list[str]:
    return netplane.log("netplane-webhook")


def test_no_secret_and_no_configuration_is_in_a_log(netplane: Netplane) -> None:
    argv = ("secret", "netplane-webhook-tls", "-n", SYSTEM)
    secret = netplane.cluster.server.get(*argv)["data"]
    token = netplane.cluster.server.token()
    # What only a plugin's configuration has in it.
    banned = {"PRIVATE KEY", token, "hairpinMode", "isGateway", *secret.values()}
    for part in PARTS:
        text = "\n".join(netplane.log(part))
        assert [one for one in banned if one in text] == []
