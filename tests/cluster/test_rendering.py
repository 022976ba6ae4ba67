"""Every overlay renders with the kustomize of each kubectl that the documents promise.

kubectl has a kustomize of its own inside, and those of older releases failed (issue 10, 17): a
panic where one patch held several documents with `$patch: delete`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.lab.binaries import ROOT, folder, program, why_missing
from tests.cluster.netplane import OVERLAYS

SCRIPT = ROOT / "scripts" / "kustomize-binaries"
VERSIONS = re.findall(r"v5\.\d+\.\d+", SCRIPT.read_text())
FOLDERS = sorted(OVERLAYS.iterdir())
DELETION = "$patch: delete"
NEEDED_BY_DAEMONS = (
    *("CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
)


def kustomize(version: str) -> Path:
    """Return the kustomize of that version; the test is skipped where it was not built."""
    path = folder() / "kustomize" / version
    if not path.exists():
        pytest.skip(f"needs kustomize {version}: run scripts/kustomize-binaries")
    return path


def objects(text: str) -> list[Any]:
    """Return the objects of a rendering, in an order of their own."""
    found = [one for one in yaml.safe_load_all(text) if one is not None]
    return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"]))


def rendered(*argv: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("overlay", FOLDERS, ids=lambda path: path.name)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_overlay_renders_alike_with_the_kustomize_of_each_kubectl(
    version: str, overlay: Path
) -> None:
    with_older = rendered(str(kustomize(version)), "build", str(overlay))
    if reason := why_missing(["kubectl"]):
        pytest.skip(reason)
    assert objects(with_older) == objects(rendered(program("kubectl"), "kustomize", str(overlay)))


@pytest.mark.parametrize("version", [*VERSIONS, "kubectl"])
def test_daemons_are_sent_after_what_permits_their_writes(version: str) -> None:
    """Definitions, roles and policies: an upgrade is one `kubectl apply -k` (docs/cluster.md)."""
    overlay = str(OVERLAYS / "default")
    if version == "kubectl":
        if reason := why_missing(["kubectl"]):
            pytest.skip(reason)
        text = rendered(program("kubectl"), "kustomize", overlay)
    else:
        text = rendered(str(kustomize(version)), "build", overlay)
    kinds = [one["kind"] for one in yaml.safe_load_all(text)]
    daemons = kinds.index("DaemonSet")
    for kind in NEEDED_BY_DAEMONS:
        assert kind in kinds[:daemons]
        assert kind not in kinds[daemons:]


def test_several_deletions_in_one_patch_end_the_kustomize_of_some_kubectl(tmp_path: Path) -> None:
    """Why each deletion has a patch of its own; where none fails any more they may be one."""
    shutil.copytree(ROOT / "manifests" / "base", tmp_path / "base")
    deletions = [
        f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: netplane-system}}\n"
        f"{DELETION}\n"
        for kind, name in (("Secret", "netplane-webhook-tls"), ("Service", "netplane-webhook"))
    ]
    (tmp_path / "patch.yaml").write_text("---\n".join(deletions))
    text = "resources: [base]\npatches: [{path: patch.yaml}]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    command = [str(kustomize("v5.5.0")), "build", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "panic" in done.stderr


def test_the_documents_promise_what_is_tried() -> None:
    """The oldest kubectl of the documents is the oldest whose kustomize is built."""
    for document in ("README.md", "docs/cluster.md"):
        text = " ".join((ROOT / document).read_text().split())
        assert "kubectl` 1.31 or newer" in text
    assert "1.31, 1.32, 1.33, 1.34 with 1.35" in SCRIPT.read_text()
