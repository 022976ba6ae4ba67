"""What the definition and the policies let a node write, every reader can read.

A block that no reader goes by has its name all the same, so nobody else can have it.
"""

from __future__ import annotations

import random
from typing import Any

from planes.kube.addresses.holders import read_static
from planes.kube.addresses.ipblocks import GRID, NODE, STATIC, read_shape
from planes.model.errors import JsonObject
from tests.attacks.apiserver.shipped import BLOCKS, Shipped

TRIES = 2000
FULL = "fd00-0000-0000-0000-0000-0000-0000-0000"
NETWORKS = {
    "10-9-0-0": ["10.9.0.0", "10.009.0.0", "010.9.0.0", "10.9.0", "::ffff:10.9.0.0"],
    FULL: ["fd00::", "FD00::", "fd00:0::", "fd00::0", "fd00:0:0:0:0:0:0:0", "fd00::0.0.0.0"],
    "0000-0000-0000-0000-0000-0000-0000-0000": ["::", "::0", "0::", "::0.0.0.0"],
    "0000-0000-0000-0000-0000-ffff-0a09-0000": ["::ffff:10.9.0.0", "::ffff:a09:0"],
    "0000-0000-0000-0000-0000-0000-0a09-0000": ["::10.9.0.0", "::a09:0"],
}
LENGTHS = [22, 26, 16, 32, 104, 118, 122, 128]
ADDRESSES = ["10.9.0.1", "fd00::1", "fd00::01", "FD00::1", "::1", "::ffff:10.9.0.1", "::a09:1"]
STATICS = [
    "10.9.0.1",
    "10.9.0.1-10.9.0.3",
    "fd00::1-fd00::2",
    "10.9.0.1-fd00::1",
    "x",
    "fd00::/127",
]


def some_block(rng: random.Random) -> JsonObject:
    """Return a block that has a chance to be taken, right or slightly wrong."""
    use = rng.choice(["Node", "Static", "Grid"])
    text = rng.choice(list(NETWORKS))
    length = rng.choice(LENGTHS)
    cidr = f"{rng.choice(NETWORKS[text])}/{length}{rng.choice(['', '', '', '', ' '])}"
    plane = rng.choice(["p", "p", "p", "p-1", "grid", "static", "1"])
    kind = {"Node": "", "Static": "static.", "Grid": "grid."}[use]
    spec: dict[str, Any] = {
        "plane": plane,
        "use": use,
        "cidr": cidr,
        "node": "n1" if use == "Node" else "",
        "madeBy": "n1",
    }
    if use == "Grid":
        spec["blockSize"] = rng.choice([22, 26, 32, 118, 122, 128])
    if use == "Node" and rng.random() < 0.3:
        spec["static"] = rng.choices(STATICS, k=rng.randint(0, 2))
    obj: JsonObject = {
        "apiVersion": "netplane.io/v1alpha1",
        "kind": "IPBlock",
        "metadata": {"name": f"{plane}.{kind}{text}-{length}"},
        "spec": spec,
    }
    if use == "Static":
        texts = ["n1|", "n1|{", "n1|{}", "n1|[]", 'n1|{"since": 1e999}', "n1|" + "[" * 1000]
        some = rng.choices(ADDRESSES, k=rng.randint(0, 1))
        obj["holders"] = {address: rng.choice(texts) for address in some}
    return obj


def test_node_writes_no_block_that_readers_cannot_read(shipped: Shipped) -> None:
    rng = random.Random(9)  # noqa: S311 - tests are to be the same each time
    taken = set()
    for _ in range(TRIES):
        obj = some_block(rng)
        reply = shipped.n1.try_out(BLOCKS, obj)
        if not reply.is_success:
            continue
        # What a node's block leaves out concerns its node alone: one that is odd, it does not use.
        shape = read_shape(reply.body)
        taken.add((shape.use, shape.network.version))
        if shape.use == STATIC:
            assert not read_static(reply.body).odd, obj
    assert taken == {(use, version) for use in (NODE, STATIC, GRID) for version in (4, 6)}
