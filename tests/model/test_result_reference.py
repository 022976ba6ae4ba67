"""Our bytes against those of the real `static` IPAM plugin, which touches no kernel state."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from planes.model.wire.result import encode_result, parse_result

STATIC = Path("/usr/lib/cni/static")
IPAM: dict[str, Any] = {
    "type": "static",
    "addresses": [
        {"address": "192.168.100.10/24", "gateway": "192.168.100.1"},
        {"address": "FD00:100:0::A/64", "gateway": "fd00:100::1"},
    ],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "fd00:200::/48", "gw": "fd00:100::fe"}],
    "dns": {"nameservers": ["192.168.100.53"], "domain": "<a&b>", "search": ["x"]},
}

pytestmark = pytest.mark.skipif(not STATIC.exists(), reason=f"{STATIC} is not installed")


def printed(version: str, ipam: dict[str, Any]) -> bytes:
    conf = {"cniVersion": version, "name": "n", "type": "static", "ipam": ipam}
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c",
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_NETNS_OVERRIDE": "1",
        "CNI_IFNAME": "net1",
        "CNI_PATH": str(STATIC.parent),
    }
    done = subprocess.run(
        [str(STATIC)],
        input=json.dumps(conf).encode(),
        env=environment,
        capture_output=True,
        check=True,
        timeout=20,
    )
    return done.stdout


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0"])
@pytest.mark.parametrize("dns", [True, False])
def test_read_and_written_again_the_plugins_bytes_are_the_same(version: str, dns: bool) -> None:
    ipam = IPAM if dns else {key: value for key, value in IPAM.items() if key != "dns"}
    output = printed(version, ipam)
    assert encode_result(parse_result(output, default_version=""), version) == output


def test_a_1_0_0_result_says_the_same_as_the_plugins() -> None:
    """Which member comes first in 1.x depends on the plugin's library; the content does not."""
    output = printed("1.0.0", IPAM)
    ours = encode_result(parse_result(output, default_version=""), "1.0.0")
    assert json.loads(ours) == json.loads(output)
