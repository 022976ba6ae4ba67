"""Which links a sandbox has."""

from __future__ import annotations

from cni.net.kernel import Kernel
from cni.net.sandboxes import KernelSandboxes
from planes.run.clock import SystemClock


async def link_names(kernel: Kernel, netns: str) -> frozenset[str]:
    """Return the names of the links in a namespace, as the verbs see them."""
    return (await KernelSandboxes(kernel, SystemClock()).survey(netns)).names
