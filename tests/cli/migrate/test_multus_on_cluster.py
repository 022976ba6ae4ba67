"""The settings of Multus that `netplane migrate check` finds in a cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.cli.migrate.multus_on_cluster import read_multus_on_cluster
from planes.cli.migrate.multus_report import Followed, MultusReport
from planes.kube.resources import CONFIG_MAPS
from planes.model.errors import Denied, PlanesError, Unavailable
from tests.support.kube.fake_kube import FakeKube

DAEMON = {"logLevel": "debug", "namespaceIsolation": True, "socketDir": "/run/multus"}
SHIM = {"type": "multus-shim", "clusterNetwork": "/host/etc/cni/net.d/10-flannel.conflist"}


def config_map(name: str, file: str, text: str, space: str = "kube-system") -> tuple[Any, Any]:
    return CONFIG_MAPS, {"metadata": {"name": name, "namespace": space}, "data": {file: text}}


def thick(text: str, **more: str) -> tuple[Any, Any]:
    return config_map("multus-daemon-config", "daemon-config.json", text, **more)


async def read(*objects: tuple[Any, Any]) -> tuple[MultusReport, list[str]]:
    return await read_multus_on_cluster(FakeKube(*objects))


async def test_the_config_of_its_daemon_is_read() -> None:
    report, notes = await read(thick(json.dumps(DAEMON)))
    assert [(one.file, one.key) for one in report.settings] == [
        ("daemon-config.json", key) for key in DAEMON
    ]
    assert (report.isolates, notes) == (True, [])


async def test_the_config_of_its_thin_form_is_read() -> None:
    conflist = {"cniVersion": "0.3.1", "name": "m", "plugins": [SHIM, {"type": "portmap"}]}
    map_ = config_map("multus-cni-config", "cni-conf.json", json.dumps(conflist))
    report, _ = await read(map_)
    assert [(one.file, one.key) for one in report.settings][:1] == [
        ("cni-conf.json", "clusterNetwork")
    ]
    both, _ = await read(map_, thick(json.dumps(DAEMON)))
    assert Followed.TO_DO not in {one.followed for one in both.settings if one.key == "-"}


async def test_a_cluster_without_multus_has_no_settings() -> None:
    assert await read() == (MultusReport(), [])
    other = thick(json.dumps(DAEMON), space="shop")
    assert await read(other) == (MultusReport(), [])


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"type": "bridge"}', "[" * 100_000])
async def test_what_is_no_config_of_multus_is_noted_and_ends_nothing(text: str) -> None:
    report, (note,) = await read(thick(text))
    assert report == MultusReport()
    assert note.startswith("settings of Multus are not known: ")
    assert note.endswith("; give its files of a node with --multus-config")
    assert note.isprintable()


async def test_what_is_too_long_or_no_text_is_no_config() -> None:
    assert await read(thick("x" * (2 << 20))) == (MultusReport(), [])
    nothing = (
        CONFIG_MAPS,
        {"metadata": {"name": "multus-daemon-config", "namespace": "kube-system"}},
    )
    assert await read(nothing) == (MultusReport(), [])


@pytest.mark.parametrize("error", [Denied("cannot get it: no right"), Unavailable("it is away")])
async def test_who_may_not_read_it_is_told_once_where_settings_are_given(
    error: PlanesError,
) -> None:
    kube = FakeKube()
    kube.fail_next(error, verb="get", resource=CONFIG_MAPS)
    report, notes = await read_multus_on_cluster(kube)
    assert report == MultusReport()
    (note,) = notes
    assert "--multus-config" in note
