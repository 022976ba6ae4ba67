"""The condition Available, made by the leader from the reports of nodes."""

from __future__ import annotations

import pytest

from planes.kube.resources import PODS
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.state.plane_health import FRESH_SECONDS, Health, encode_report
from tests.webhook.controller.running_controller import RunningController, running_controller
from webhook.controller.statuses import COUNT_SECONDS

DAEMON = {"app.kubernetes.io/name": "netplane-cni"}


def report(
    controller: RunningController,
    node: str,
    health: Health | None,
    *,
    plane: str = "business",
    namespace: str = NETPLANE_NAMESPACE,
    labels: dict[str, str] | None = None,
    pod: str = "",
) -> None:
    """Have the daemon of a node report; None: nothing."""
    planes = {} if health is None else {plane: health}
    metadata = {
        "name": pod or f"netplane-cni-{node}",
        "namespace": namespace,
        "labels": DAEMON if labels is None else labels,
        "annotations": {PLANE_HEALTH_ANNOTATION: encode_report(node, planes)},
    }
    controller.kube.put_object(PODS, {"metadata": metadata})


def failing(
    controller: RunningController, failures: int = 5, reason: str = "cannot find eth2"
) -> Health:
    return Health(failures=failures, failed_at=int(controller.clock.now()), reason=reason)


def working(controller: RunningController) -> Health:
    return Health(attached_at=int(controller.clock.now()))


def message(controller: RunningController) -> str:
    (found,) = [one for one in controller.status()["conditions"] if one["type"] == "Available"]
    return str(found["message"])


async def test_a_plane_all_of_whose_pods_fail_says_so_and_is_available_again_when_they_do_not(
    controller: RunningController,
) -> None:
    """The case: it stayed "in force", and nothing said that nobody got it."""
    controller.put_plane()
    controller.start()
    await controller.settle(6)
    assert controller.condition("Available") == ("Unknown", "NotTried")
    report(controller, "n1", failing(controller))
    await controller.settle(1)
    assert controller.condition("Available") == ("False", "AttachingFails")
    assert controller.condition("Accepted") == ("True", "Valid")
    assert "latest on n1: cannot find eth2" in message(controller)
    report(controller, "n1", working(controller))
    await controller.settle(2 * COUNT_SECONDS)
    assert controller.condition("Available") == ("True", "Attached")


async def test_failures_that_nobody_repeats_age_with_nothing_changing(
    controller: RunningController,
) -> None:
    controller.put_plane()
    report(controller, "n1", failing(controller))
    controller.start()
    await controller.settle(6)
    assert controller.condition("Available")[0] == "False"
    controller.clock.advance(FRESH_SECONDS)
    await controller.settle(12)
    assert controller.condition("Available") == ("Unknown", "NotTried")


async def test_a_daemon_whose_pod_is_gone_says_nothing_more(controller: RunningController) -> None:
    controller.put_plane()
    report(controller, "n1", failing(controller))
    report(controller, "n2", working(controller))
    controller.start()
    await controller.settle(6)
    assert controller.condition("Available") == ("True", "SomeNodesFail")
    controller.kube.remove_object(PODS, "netplane-cni-n1", NETPLANE_NAMESPACE)
    await controller.settle(6)
    assert controller.condition("Available") == ("True", "Attached")


@pytest.mark.parametrize("pods", [("old", "new"), ("z-old", "a-new")])
async def test_a_daemon_that_is_being_replaced_says_nothing_over_the_new_one(
    controller: RunningController, pods: tuple[str, str]
) -> None:
    """Both pods are there for a while, in whatever order they are listed."""
    controller.put_plane()
    old, new = pods
    report(controller, "n1", failing(controller), pod=old)
    controller.clock.advance(5)
    report(controller, "n1", working(controller), pod=new)
    controller.start()
    await controller.settle(6)
    assert controller.condition("Available") == ("True", "Attached")


async def test_only_a_daemon_s_own_pod_is_believed(controller: RunningController) -> None:
    """A tenant writes what he likes on pods of his own."""
    controller.put_plane()
    report(controller, "n1", failing(controller), namespace="shop")
    report(controller, "n2", failing(controller), labels={"app": "other"})
    controller.start()
    await controller.settle(6)
    assert controller.condition("Available") == ("Unknown", "NotTried")


async def test_a_report_about_one_plane_writes_no_other(controller: RunningController) -> None:
    for name in ("business", "storage"):
        controller.put_plane(name)
    controller.start()
    await controller.settle(6)
    before = controller.status("storage")
    report(controller, "n1", failing(controller))
    await controller.settle(6)
    assert controller.status("storage") == before


async def test_counts_that_rise_on_many_nodes_are_written_every_five_seconds_at_most(
    controller: RunningController,
) -> None:
    controller.put_plane()
    for number in range(30):
        report(controller, f"n{number}", failing(controller))
    controller.start()
    await controller.settle(6)
    before = controller.writes("planes/status")
    for step in range(30):
        report(controller, f"n{step}", failing(controller, 6 + step))
        await controller.settle(1)
    assert controller.writes("planes/status") - before <= 7


async def test_a_node_that_reports_now_this_now_that_holds_nothing_else_of_the_plane_back(
    controller: RunningController,
) -> None:
    """Whoever has a node could keep a plane from being said to be invalid, or being deleted."""
    controller.put_plane()
    report(controller, "n2", working(controller))
    controller.start()
    await controller.settle(6)
    before = controller.writes("planes/status")
    for step in range(60):
        report(controller, "n1", failing(controller) if step % 2 else working(controller))
        await controller.settle(1)
    assert controller.writes("planes/status") - before <= 60 / COUNT_SECONDS + 1
    controller.put_plane(subnets=[{"cidr": "nonsense"}])
    await controller.settle(1)
    assert controller.condition("Accepted") == ("False", "Invalid")


async def test_a_new_leader_changes_no_condition_before_it_has_read_everything(
    controller: RunningController,
) -> None:
    controller.put_plane()
    report(controller, "n1", failing(controller))
    controller.start()
    await controller.settle(6)
    before = controller.status()
    await controller.stop()
    async with running_controller() as other:
        other.kube, other.clock, other.store = controller.kube, controller.clock, controller.store
        other.start()
        await other.settle(1)
        assert other.status() == before


async def test_a_plane_that_is_not_accepted_is_not_said_to_be_available(
    controller: RunningController,
) -> None:
    controller.put_plane(subnets=[{"cidr": "nonsense"}])
    report(controller, "n1", working(controller))
    controller.start()
    await controller.settle(6)
    assert controller.condition("Available") == ("Unknown", "NotAccepted")
