"""After any history the store equals one built from the final objects."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.resources import NADS, NAMESPACES, PLANES, PODS
from planes.kube.store.store import KubeStore
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import Claim
from tests.kube.store.store_scene import Scene, nad_object, namespace_object, pod_object
from tests.support.planes import plane_object

_KINDS = (PLANES, NADS, NAMESPACES, PODS)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "remove", "expire", "cut", "rest"]),
        st.sampled_from(range(len(_KINDS))),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=30,
)


def make(kind: int, name: int, variant: int) -> dict[str, Any]:
    """Return an object of a kind in one of four states."""
    match kind:
        case 0:
            cidr = f"10.{variant}.0.0/16"
            return plane_object(f"plane-{name}", subnets=[{"cidr": cidr}], order=variant)
        case 1:
            return nad_object(f"nad-{name}", f"team-{variant}")
        case 2:
            return namespace_object(f"team-{name}", **{"plane.netplane.io/plane-1": f"v{variant}"})
        case _:
            status = (
                f'[{{"name":"netplane-system/plane-{name}","interface":"net1",'
                f'"ips":["10.0.0.{variant}"]}}]'
            )
            annotations = {
                0: {},
                1: {NETWORKS_ANNOTATION: '[{"name":"own","ips":["10.0.0.9/24"]}]'},
                2: {STATUS_ANNOTATION: status},
                3: {NETWORKS_ANNOTATION: "own,own", STATUS_ANNOTATION: status},
            }[variant]
            phase = "Succeeded" if variant == 3 and name == 2 else "Running"
            return pod_object(f"pod-{name}", annotations, phase=phase)


def content(claims: ClaimIndex) -> tuple[dict[Any, set[Claim]], dict[Any, Any]]:
    """Return everything an index says, without the order in which it came to know."""
    holders = {key: set(held) for key, held in claims._holders.items()}
    return holders, dict(claims._usage.items())


def shown(store: KubeStore) -> Any:
    catalog = store.catalog
    return (
        catalog.planes,
        dict(catalog.nads.items()),
        [store.namespace(name) for name in ("shop", *(f"team-{name}" for name in range(3)))],
        content(catalog.claims),
        [store.pod("shop", f"pod-{name}") for name in range(3)],
    )


async def _lived_through(steps: list[tuple[str, int, int, int]], *, is_node: bool) -> None:
    scene = Scene()
    make_store = scene.for_node if is_node else scene.for_admission
    async with scene.running(make_store()) as store:
        for what, kind, name, variant in steps:
            obj = make(kind, name, variant)
            meta = obj["metadata"]
            match what:
                case "put":
                    scene.api.put_object(_KINDS[kind], obj)
                case "remove":
                    found = scene.api.object(_KINDS[kind], meta["name"], meta.get("namespace", ""))
                    if found is not None:
                        scene.api.remove_object(
                            _KINDS[kind], meta["name"], meta.get("namespace", "")
                        )
                case "expire":
                    scene.api.expire()
                case "cut":
                    scene.api.cut_watches()
                case _:
                    await scene.settled()
        async with scene.running(make_store()) as fresh:
            await scene.until(lambda: shown(store) == shown(fresh))


@settings(max_examples=40, deadline=None)
@given(_STEPS, st.booleans())
def test_after_any_history_the_store_is_that_of_the_final_objects(
    steps: list[tuple[str, int, int, int]], is_node: bool
) -> None:
    asyncio.run(_lived_through(steps, is_node=is_node))
