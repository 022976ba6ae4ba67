"""Every overlay and example is accepted by a real API server, and applying again changes nothing.

No controllers run here, so only what is applied stands; cert-manager's two kinds are served without
a schema of theirs, which is cert-manager's to check.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from planes.run.listening import early
from planes.run.metrics import START_SECONDS
from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.installed_webhook import Installed
from tests.cluster.lab.binaries import CONTROL_PLANE, ROOT, why_missing
from tests.cluster.netplane import EXAMPLES, OVERLAYS

MANIFESTS = ROOT / "manifests"
CERT_MANAGER = {"Issuer": "issuers", "Certificate": "certificates"}
# In the order of an installation: `uninstall` takes the place of the daemon of another one.
ORDER = ("default", "lab", "multus-takeover", "client-ca", "files", "cert-manager", "uninstall")
# kubectl sends the selector of a disruption budget whole each time, changed or not, and says so;
# the object stays the same, as its resourceVersion does.
_BUDGET = "poddisruptionbudget.policy/netplane-webhook configured"
CONFIGURED = {overlay: [_BUDGET] if overlay != "uninstall" else [] for overlay in ORDER}
# Those that others stand on go first.
_FIRST = ("business-plane", "storage-plane", "shop")
EXAMPLE_ORDER = sorted(EXAMPLES.glob("*.yaml"), key=lambda path: path.stem not in _FIRST)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server on which the overlays follow each other, as on a cluster that changes them."""
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        server.apply(*(stand_in(kind, plural) for kind, plural in CERT_MANAGER.items()))
        established(server)
        yield server


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """Planes, policies and a webhook that is asked, for the examples."""
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        one = Installed(server)
        one.install()
        server.kubectl("apply", "-k", str(MANIFESTS / "base" / "policies"))
        one.start()
        try:
            one.ready()
            established(server)
            yield one
        finally:
            one.stop()


def stand_in(kind: str, plural: str) -> dict[str, Any]:
    """Return a kind of cert-manager's that takes anything."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    group = "cert-manager.io"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def established(server: ApiServer) -> None:
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


def rendered(overlay: str, server: ApiServer) -> list[dict[str, Any]]:
    text = server.kubectl("kustomize", str(OVERLAYS / overlay))
    return [one for one in yaml.safe_load_all(text) if one]


def versions(server: ApiServer, overlay: str) -> Mapping[str, str]:
    """{UID: resourceVersion} of all objects of an overlay."""
    text = server.kubectl("kustomize", str(OVERLAYS / overlay))
    found = server.kubectl("get", "-f", "-", "-o", "yaml", text=text)
    metadata = [one["metadata"] for one in yaml.safe_load(found)["items"]]
    return {one["uid"]: one["resourceVersion"] for one in metadata}


def test_every_overlay_is_tried_here() -> None:
    assert {path.name for path in OVERLAYS.iterdir()} == set(ORDER)


@pytest.mark.parametrize("overlay", ORDER)
def test_an_overlay_is_accepted_and_applying_it_again_changes_nothing(
    server: ApiServer, overlay: str
) -> None:
    folder = str(OVERLAYS / overlay)
    server.kubectl("apply", "-k", folder)
    established(server)
    before = versions(server, overlay)
    again = server.kubectl("apply", "-k", folder).splitlines()
    assert [line for line in again if not line.endswith(" unchanged")] == CONFIGURED[overlay]
    assert versions(server, overlay) == before
    assert len(before) == len(again) == len(rendered(overlay, server))


@pytest.mark.parametrize("overlay", ["default", "cert-manager", "uninstall"])
def test_an_overlay_can_be_applied_by_the_server_itself(server: ApiServer, overlay: str) -> None:
    """Server-side apply, as GitOps tools do it; tried out only."""
    server.kubectl("apply", "-k", str(OVERLAYS / "default"))
    argv = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k")
    server.kubectl(*argv, str(OVERLAYS / overlay))


@pytest.mark.parametrize("overlay", ORDER)
def test_every_container_of_an_overlay_runs_the_image_of_this_version(
    server: ApiServer, overlay: str
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    images = {
        container["image"]
        for one in rendered(overlay, server)
        if one["kind"] in {"Deployment", "DaemonSet"}
        for kind in ("initContainers", "containers")
        for container in one["spec"]["template"]["spec"].get(kind, [])
    }
    assert images == {f"docker.io/library/netplane:{project['version']}"}


@pytest.mark.parametrize("overlay", [each for each in ORDER if each != "uninstall"])
def test_no_probe_is_refused_while_a_program_is_loaded_or_gets_ready(
    server: ApiServer, overlay: str
) -> None:
    """Each refusal is a warning event, at every install; other probes wait for the first one."""
    containers = {
        container["name"]: container
        for one in rendered(overlay, server)
        if one["kind"] in {"Deployment", "DaemonSet"}
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert set(containers) == {"webhook", "cni"}
    for container in containers.values():
        probe, command = container["startupProbe"], container["command"]
        assert probe["httpGet"]["path"] == "/startz"
        assert probe["timeoutSeconds"] > 2 * START_SECONDS
        # However many are turned away meanwhile, nothing is killed before it counts as started.
        assert (probe["failureThreshold"] - 5) * probe["periodSeconds"] > START_SECONDS
        assert command[:4] == ["python3", "-m", early.__name__, "NETPLANE_METRICS"]


def test_the_budget_is_sent_for_its_selector_and_nothing_else(server: ApiServer) -> None:
    """What kubectl calls configured: a selector as it is, sent whole for its patch strategy."""
    server.kubectl("apply", "-k", str(OVERLAYS / "default"))
    budget = MANIFESTS / "base" / "webhook" / "disruption.yaml"
    text = server.kubectl("kustomize", str(OVERLAYS / "default"))
    (kept,) = [one for one in yaml.safe_load_all(text) if one["kind"] == "PodDisruptionBudget"]
    assert "patch strategy" in budget.read_text()
    found = server.get("poddisruptionbudget", "netplane-webhook", "-n", "netplane-system")
    differing = {key for key in kept["spec"] if kept["spec"][key] != found["spec"].get(key)}
    assert differing == set()
    assert found["metadata"]["generation"] == 1


@pytest.mark.parametrize("overlay", ["cert-manager", "files"])
def test_where_others_make_certificates_the_webhook_may_not(
    server: ApiServer, overlay: str
) -> None:
    names = {one["metadata"]["name"] for one in rendered(overlay, server)}
    assert "netplane-webhook-certificates" not in names


@pytest.mark.parametrize("path", EXAMPLE_ORDER, ids=lambda path: path.stem)
def test_an_example_is_accepted_and_applying_it_again_changes_nothing(
    installed: Installed, path: Any
) -> None:
    installed.server.kubectl("apply", "-f", str(path))
    again = installed.server.kubectl("apply", "-f", str(path)).splitlines()
    assert [line for line in again if not line.endswith(" unchanged")] == []
