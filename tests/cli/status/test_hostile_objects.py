"""What objects hold that anybody may have written: read within bounds, as printable lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planes.cli.reading.plane_conditions import plane_seen
from planes.cli.status.certificate_dates import roots_of, serving_of
from planes.cli.status.daemon_pods import daemon_seen
from planes.kube.resources import MUTATING_HOOKS

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
TEXTS = st.text(max_size=12) | ANY
CONDITIONS = ANY | st.lists(
    st.fixed_dictionaries({"type": TEXTS, "status": TEXTS, "message": TEXTS}) | ANY, max_size=3
)
KEYS = st.sampled_from(("reason", "message"))
CONTAINERS = ANY | st.lists(
    ANY
    | st.fixed_dictionaries(
        {
            "image": TEXTS,
            "restartCount": ANY,
            "state": ANY | st.fixed_dictionaries({"waiting": st.dictionaries(KEYS, TEXTS)}),
        }
    ),
    max_size=3,
)


@given(CONDITIONS, ANY, ANY)
def test_the_status_of_a_plane_is_read_whatever_it_holds(
    conditions: object, count: object, generation: object
) -> None:
    status = {"conditions": conditions, "inUse": count, "observedGeneration": count}
    obj = {"metadata": {"name": "p\x1b", "generation": generation}, "status": status}
    found = plane_seen(obj)
    assert found.name == "p?"
    for key, one in found.conditions.items():
        assert (key + one.status + one.reason + one.message).isprintable()


@given(CONDITIONS, CONTAINERS, ANY, TEXTS)
def test_the_pod_of_a_daemon_is_read_whatever_it_holds(
    conditions: object, containers: object, node: object, phase: object
) -> None:
    status = {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": containers,
        "initContainerStatuses": containers,
    }
    spec = {"nodeName": node, "containers": containers}
    obj = {"metadata": {"name": "d", "annotations": None}, "status": status, "spec": spec}
    found = daemon_seen(obj)
    if found is not None:
        assert (found.node + found.why + found.image).isprintable()


@given(ANY | st.lists(ANY | st.fixed_dictionaries({"clientConfig": ANY}), max_size=3))
def test_roots_are_read_whatever_the_field_holds(webhooks: object) -> None:
    found = roots_of(MUTATING_HOOKS, {"metadata": {}, "webhooks": webhooks}, 0.0)
    assert found.fault
    assert found.days is None


@given(TEXTS)
def test_the_end_of_a_certificate_is_a_time_or_not_known(text: object) -> None:
    found = serving_of({"metadata": {"annotations": {"netplane.io/expires": text}}}, 0.0)
    assert found.days is None
