"""Ports that a runtime publishes are mapped by a plugin, or the container is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.model.errors import BadInput
from tests.cni.runtime_scene import DEFAULT, JsonObject, bench
from tests.support.cni.runtime import NOTHING


@pytest.mark.parametrize(
    ("default", "conf", "cause"),
    [
        ({**DEFAULT, "plugins": DEFAULT["plugins"][:1]}, {}, "no plugin of network cluster maps"),
        (DEFAULT, {"delegate": {}}, "there is no default network"),
    ],
)
async def test_a_port_that_no_plugin_would_map_is_refused(
    tmp_path: Path, default: JsonObject, conf: JsonObject, cause: str
) -> None:
    """A runtime that publishes a port believes that it is published (podman -p)."""
    made = await bench(tmp_path, default=default)
    ports = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}, {"containerPort": 81}]
    with pytest.raises(BadInput, match=f"cannot map port 8080/tcp of the node: {cause}"):
        await made.call("ADD", conf={**conf, "runtimeConfig": {"portMappings": ports}})
    assert made.leftovers() == NOTHING
    await made.call("ADD", conf={**conf, "runtimeConfig": {"portMappings": ports[1:]}})
