"""The kubelet asked for devices: by Get, by List, by its checkpoint; slow, huge and garbled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.call import PodIdentity
from cni.devices.kubelet import NodeKubelet
from cni.devices.messages import decode_get, decode_list
from cni.devices.pod_resources import MOST_BYTES
from planes.model.errors import Unavailable
from tests.support.cni.kubelet import (
    ApiKubelet,
    field_of,
    pod_message,
    serving,
    write_checkpoint,
)

VF, GPU = "example.com/vfs", "example.com/gpus"
WEB = PodIdentity("shop", "web", "u1")
OTHER = ("shop", "other")


def scripted(**more: object) -> ApiKubelet:
    """Return a kubelet with the pods shop/web and shop/other."""
    web = [{VF: ["b", "a"]}, {GPU: ["g"], VF: ["0"]}]
    pods = {("shop", "web"): web, OTHER: [{VF: ["theirs"]}]}
    return ApiKubelet(pods, **more)  # type: ignore[arg-type]  # fields of the class


async def test_get_is_asked_for_one_pod_and_ids_are_sorted_within_a_container(
    kubelet_dir: Path,
) -> None:
    with serving(scripted(), kubelet_dir) as api:
        assert await NodeKubelet(str(kubelet_dir)).devices(WEB) == {
            VF: ("a", "b", "0"),
            GPU: ("g",),
        }
    assert api.asked == ["Get"]


async def test_list_is_asked_where_the_kubelet_has_no_get(kubelet_dir: Path) -> None:
    with serving(scripted(has_get=False), kubelet_dir) as api:
        assert (await NodeKubelet(str(kubelet_dir)).devices(WEB))[VF] == ("a", "b", "0")
    assert api.asked == ["Get", "List"]


async def test_a_pod_that_the_kubelet_does_not_know_has_no_devices(kubelet_dir: Path) -> None:
    write_checkpoint(kubelet_dir, ("u9", VF, {"-1": ["x"]}))
    with serving(scripted(), kubelet_dir) as api:
        assert await NodeKubelet(str(kubelet_dir)).devices(PodIdentity("shop", "no", "u9")) == {}
    assert api.asked == ["Get", "List"]


async def test_an_answer_about_another_pod_is_refused(kubelet_dir: Path) -> None:
    raw = field_of(1, pod_message(*OTHER, [{VF: ["theirs"]}]))
    with (
        serving(scripted(raw=raw), kubelet_dir),
        pytest.raises(Unavailable, match="about another pod"),
    ):
        await NodeKubelet(str(kubelet_dir)).devices(WEB)


async def test_two_pods_of_one_name_are_not_told_apart(kubelet_dir: Path) -> None:
    """The old one is not gone yet: the list has no UIDs."""
    twin = pod_message("shop", "web", [{VF: ["old"]}])
    with (
        serving(scripted(has_get=False, twins=[twin]), kubelet_dir),
        pytest.raises(Unavailable, match="two pods of that name"),
    ):
        await NodeKubelet(str(kubelet_dir)).devices(WEB)


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_the_kubelets_rate_limit_and_restart_are_waited_out(
    kubelet_dir: Path, code: grpc.StatusCode
) -> None:
    with serving(scripted(refusals=[code, code]), kubelet_dir) as api:
        assert (await NodeKubelet(str(kubelet_dir)).devices(WEB))[GPU] == ("g",)
    assert api.asked == ["Get"] * 3


async def test_a_slow_kubelet_is_not_waited_for_and_its_checkpoint_is_read(
    kubelet_dir: Path,
) -> None:
    write_checkpoint(kubelet_dir, ("u1", VF, {"-1": ["x"]}))
    with serving(scripted(delay=1.0), kubelet_dir):
        found = await NodeKubelet(str(kubelet_dir), seconds=0.1).devices(WEB)
    assert found == {VF: ("x",)}


async def test_an_answer_beyond_the_bound_is_refused_at_once(kubelet_dir: Path) -> None:
    with (
        serving(scripted(raw=b"\x0a" * (MOST_BYTES + 1)), kubelet_dir) as api,
        pytest.raises(Unavailable, match="RESOURCE_EXHAUSTED"),
    ):
        await NodeKubelet(str(kubelet_dir)).devices(WEB)
    assert api.asked == ["Get"]


@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\x05ab", b"\x0b", b"\x0a\x04\x0a\x02\xff\xfe"])
async def test_garbage_is_refused_and_the_checkpoint_is_named(
    kubelet_dir: Path, raw: bytes
) -> None:
    with (
        serving(scripted(raw=raw), kubelet_dir),
        pytest.raises(Unavailable) as caught,
    ):
        await NodeKubelet(str(kubelet_dir)).devices(WEB)
    assert "kubelet's answer" in caught.value.message
    assert "kubelet_internal_checkpoint" in caught.value.message


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_unavailable(data: bytes) -> None:
    for decode in (decode_get, lambda each: decode_list(each, "shop", "web")):
        try:
            decode(data)
        except Unavailable:
            continue


@pytest.mark.parametrize("one", [b"\x10\x00", b"\x0a\x00", b"\x0a\x06\x0a\x01a\x12\x01b"])
def test_an_answer_of_very_many_fields_is_refused(one: bytes) -> None:
    """Within its bound of bytes it would stop the event loop for half a minute."""
    with pytest.raises(Unavailable, match="it has more than 262144 fields"):
        decode_list(one * 300_000, "b", "a")


async def test_without_socket_the_checkpoint_is_read_by_uid(kubelet_dir: Path) -> None:
    write_checkpoint(
        kubelet_dir,
        ("u1", VF, {"1": ["b"], "0": ["a"]}),
        ("u1", VF, {"0": ["a"]}),  # of an init container, reused
        ("u2", VF, {"0": ["theirs"]}),
    )
    assert await NodeKubelet(str(kubelet_dir)).devices(WEB) == {VF: ("a", "b")}


async def test_the_checkpoint_of_kubelets_before_1_20_has_a_list(kubelet_dir: Path) -> None:
    write_checkpoint(kubelet_dir, ("u1", VF, ["b", "a"]))
    assert await NodeKubelet(str(kubelet_dir)).devices(WEB) == {VF: ("a", "b")}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"Data": []}', '{"Data": {"PodDeviceEntries": [1]}}', "{" * 100_000]
)
async def test_a_file_that_is_no_checkpoint_is_refused(kubelet_dir: Path, text: str) -> None:
    write_checkpoint(kubelet_dir).write_text(text)
    with pytest.raises(Unavailable, match="kubelet_internal_checkpoint"):
        await NodeKubelet(str(kubelet_dir)).devices(WEB)


async def test_without_either_both_are_named_and_the_setting(kubelet_dir: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await NodeKubelet(str(kubelet_dir)).devices(WEB)
    assert "pod-resources/kubelet.sock" in caught.value.message
    assert "kubelet_internal_checkpoint" in caught.value.message
    assert "--kubelet-dir" in caught.value.remedy


async def test_a_pod_without_uid_is_not_looked_up_in_the_checkpoint(kubelet_dir: Path) -> None:
    write_checkpoint(kubelet_dir, ("", VF, {"-1": ["x"]}))
    with pytest.raises(Unavailable, match="UID is not known"):
        await NodeKubelet(str(kubelet_dir)).devices(PodIdentity("shop", "web"))


async def test_the_directory_is_looked_up_below_the_nodes_root(kubelet_dir: Path) -> None:
    (kubelet_dir / "var/lib").mkdir(parents=True)
    (kubelet_dir / "var/lib/kubelet").symlink_to("/data/kubelet")
    with serving(scripted(), kubelet_dir / "data/kubelet"):
        found = await NodeKubelet("/var/lib/kubelet", str(kubelet_dir)).devices(WEB)
    assert found[GPU] == ("g",)


def test_grpc_is_not_loaded_with_the_daemon() -> None:
    code = "import sys, cni.daemon, cni.devices.kubelet; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
