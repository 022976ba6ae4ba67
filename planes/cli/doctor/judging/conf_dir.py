"""The order of the CNI conf dir, and other CNI daemons that rewrite it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Final

from cni.confdir.files import FILE_NAME, is_multus
from planes.cli.doctor.diagnosis import Diagnosis, error, warning
from planes.cli.doctor.facts.conf_dir import ConfDirFiles
from planes.model.lines import first_few
from planes.model.names import shown

_SET_ASIDE_BY: Final[Mapping[str, tuple[str, str]]] = {
    ".cilium_bak": (
        "Cilium",
        "helm upgrade cilium cilium/cilium -n kube-system --reuse-values --set cni.exclusive=false",
    ),
}
"""By the suffix that they put on files of others: who does, and how to switch it off."""


def judge_conf_dir(
    found: ConfDirFiles, *, is_cluster: bool, runs: bool, replaces_multus: bool = False
) -> Iterator[Diagnosis]:
    """Yield what is wrong with the directory.

    Args:
        found: its content.
        is_cluster: whether the daemon keeps a file of its own there.
        runs: whether the daemon runs.
        replaces_multus: whether the daemon keeps Multus' file set aside.
    """
    if not found.is_there:
        yield error(
            f"there is no CNI conf dir {found.directory}",
            "container runtimes find no network: no pod starts",
            "install the cluster's default network, or name the directory with --cni-conf-dir",
        )
        return
    yield from _set_aside(found)
    yield from _order(found, is_cluster=is_cluster, runs=runs, replaces_multus=replaces_multus)
    for file in found.files:
        if file.fault:
            yield warning(
                f"{file.name} in {found.directory} cannot be used: {file.fault}",
                "container runtimes and Netplane skip it, or refuse to start pods",
                f"correct or remove {_path(found, file.name)}",
            )
    if found.default is None and (is_cluster or any(one.needs_default for one in found.files)):
        reasons = f": {first_few(found.problems, 2)}" if found.problems else ""
        yield error(
            f"{found.directory} has no default network{reasons}",
            "a pod gets no eth0, so no pod starts (code 50)",
            "install the cluster's default network (its config file), or set `delegate` in "
            "Netplane's",
        )


def _set_aside(found: ConfDirFiles) -> Iterator[Diagnosis]:
    for suffix, (who, switch) in _SET_ASIDE_BY.items():
        ours = sorted(name for name in found.others if name == f"{FILE_NAME}{suffix}")
        if ours:
            yield error(
                f"{who} has set Netplane's file aside: {found.directory}/{ours[0]}",
                f"container runtimes call {who} alone: new pods get no planes",
                switch,
            )


def _order(
    found: ConfDirFiles, *, is_cluster: bool, runs: bool, replaces_multus: bool
) -> Iterator[Diagnosis]:
    usable = [one for one in found.files if not one.fault]
    ours = [one for one in usable if one.is_ours]
    if not ours:
        if is_cluster:
            start = "kubectl -n netplane-system get pods -o wide -l app.kubernetes.io/name="
            yield error(
                f"{found.directory} has no file of Netplane"
                + (", though its daemon runs" if runs else ""),
                "container runtimes do not call Netplane: new pods get no planes",
                "something removes the file: look at other CNI daemons of this node"
                if runs
                else f"{start}netplane-cni; look why it does not run here",
            )
        return
    first = usable[0]
    # podman and nerdctl take a network by its name; only a kubelet's runtime takes the first.
    if first.is_ours or not is_cluster:
        return
    kinds = ", ".join(dict.fromkeys(shown(kind) for kind in first.types[:4])) or "no plugin"
    what = f"{first.name} comes before {ours[0].name} in {found.directory} (type {kinds})"
    if any(is_multus(kind) for kind in first.types):
        mend = (
            "remove Multus, or let Netplane keep its file set aside: NETPLANE_REPLACE_MULTUS=true "
            "in the DaemonSet netplane-cni"
        )
        if replaces_multus:
            mend = "kubectl -n kube-system delete daemonset kube-multus-ds; it writes the file anew"
        why = "container runtimes call Multus, which does not know planes: new pods get none"
        yield error(what, why, mend)
    else:
        later = f"10-{first.name.lstrip('0-')}"
        yield error(
            what,
            "container runtimes take the first file: new pods get no planes",
            f"mv {_path(found, first.name)} {_path(found, later)}",
        )


def _path(found: ConfDirFiles, name: str) -> str:
    return quote(f"{found.directory}/{name}")
