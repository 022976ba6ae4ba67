"""Addresses that a binary has configured: IPv6 is waited for, and a plane's are probed after it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cni.attaching.attachment_steps import AttachmentSteps
from cni.host.exec import SystemExec
from cni.native.engine import Engine
from cni.net.kernel import Kernel
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import Chains, Plugins
from cni.plugins.plugin import Call
from cni.plugins.probe import NoProbe
from planes.model.errors import CniCode, Conflict
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import Result
from planes.run.clock import SystemClock
from tests.net.probed_wire import MACVLAN, ProbedWire, wire
from tests.support.node.netns import CNI_BIN_DIR, Node, why_no_reference
from tests.support.node.wire import answering, recorded

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(60),
    pytest.mark.skipif(bool(why_no_reference("macvlan")), reason=why_no_reference("macvlan")),
]


async def executed(one: ProbedWire, a_node: Node, ipam: dict[str, Any] | None = None) -> Result:
    """Attach with the macvlan binary, in the namespace of the node."""
    script = one.root / "bin" / "macvlan"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"#!/bin/sh\nexec ip netns exec {a_node.host.name} {CNI_BIN_DIR}/macvlan\n")
    script.chmod(0o755)
    chains = Chains(Plugins({}, SystemExec({**os.environ}, SystemClock()), 20), one.ipams)
    conf = {**one.conf.raw, **({} if ipam is None else {"ipam": ipam})}
    attachment = PlannedAttachment("shop/business", parse_conflist(conf), "net1")
    path = (str(script.parent), CNI_BIN_DIR)
    call = Call("c1", a_node.sandbox.path, "net1", cni_path=path)
    if ipam is None:
        call = await one.call(a_node.sandbox.path, cni_path=path)
    steps = AttachmentSteps(chains, NoProbe()).add(call, attachment, set())
    return await Engine(one.kernel, one.ipams).run(call.netns, steps)


async def test_its_address_is_probed_after_it(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    one = wire(kernel, tmp_path, MACVLAN)
    with recorded(a_node.far) as seen:
        result = await executed(one, a_node)
    assert [ip.address for ip in result.ips] == ["10.9.0.2/24"]
    asked = [said for _, said in seen if said.is_asking and str(said.address) == "10.9.0.2"]
    assert len(asked) == 3


async def test_one_in_use_rests_and_the_next_attempt_gets_another(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The binary has configured the first one, so that this ADD fails."""
    one = wire(kernel, tmp_path, MACVLAN)
    with answering(a_node.far), pytest.raises(Conflict, match="somebody on the wire") as refused:
        await executed(one, a_node)
    assert refused.value.cni_code == CniCode.TRY_AGAIN
    assert list(one.resting()) == ["10.9.0.2"]
    a_node.sandbox.ip("link", "del", "net1")  # what its DEL does
    result = await executed(one, a_node)
    assert [ip.address for ip in result.ips] == ["10.9.0.3/24"]


STATIC = {"type": "static", "addresses": [{"address": "fd00:9::7/64"}]}


async def test_duplicate_detection_is_over_when_it_ends(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Without a gateway the reference plugins do not wait for it."""
    await executed(wire(kernel, tmp_path, MACVLAN), a_node, STATIC)
    shown = a_node.sandbox.ip("-6", "addr", "show", "net1")
    assert "fd00:9::7" in shown
    assert "tentative" not in shown


async def test_a_duplicate_is_an_error(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    a_node.far.ip("addr", "add", "fd00:9::7/64", "dev", "eth1", "nodad")
    with pytest.raises(Conflict, match="somebody else on the link has it"):
        await executed(wire(kernel, tmp_path, MACVLAN), a_node, STATIC)
