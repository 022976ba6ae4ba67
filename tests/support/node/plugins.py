"""One face for both sides of a comparison: the reference plugins' binaries, and ours.

Both are given the same call and netconf, on a node of a test's own, and give the result as JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cni.host.data_dirs import DataDirs
from cni.ipam.ipams import Ipams
from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import BinaryPlugin, Call, NativePlugin
from planes.model.decode import loads_object
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import encode_result
from planes.store.protocol import AddressBook
from tests.support.node.inside import inside
from tests.support.node.netns import CNI_BIN_DIR, Namespace

JsonObject = dict[str, Any]


class PluginError(Exception):
    """A plugin's refusal: its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Side(Protocol):
    """One side of a comparison: what carries out CNI verbs."""

    async def add(self, call: Call, conf: JsonObject) -> bytes: ...

    async def check(self, call: Call, conf: JsonObject) -> None: ...

    async def delete(self, call: Call, conf: JsonObject) -> None: ...


class Reference:
    """The binaries of the reference plugins, run in the host namespace."""

    def __init__(self, host: Namespace, bin_dir: str = CNI_BIN_DIR) -> None:
        self._host = host
        self._bin_dir = bin_dir

    async def add(self, call: Call, conf: JsonObject) -> bytes:
        return self._run("ADD", call, conf)

    async def check(self, call: Call, conf: JsonObject) -> None:
        self._run("CHECK", call, conf)

    async def delete(self, call: Call, conf: JsonObject) -> None:
        self._run("DEL", call, conf)

    def _run(self, verb: str, call: Call, conf: JsonObject) -> bytes:
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": call.container_id,
            "CNI_NETNS": call.netns,
            "CNI_IFNAME": call.ifname,
            "CNI_PATH": self._bin_dir,
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in call.cni_args),
        }
        # A program inherits the namespace of the thread that starts it.
        done = inside(
            self._host.path,
            lambda: subprocess.run(
                [f"{self._bin_dir}/{conf['type']}"],
                input=json.dumps(conf).encode(),
                env=env,
                capture_output=True,
                check=False,
                timeout=30,
            ),
        )
        if done.returncode != 0:
            error = loads_object(done.stdout or b"{}", "the plugin's error")
            raise PluginError(error.get("code", 0), f"{error.get('msg')} {done.stderr.decode()}")
        return done.stdout


class Ours:
    """The native plugins, with the host namespace passed in."""

    def __init__(self, kernel: Kernel, plugins: Mapping[str, NativePlugin]) -> None:
        self._kernel = kernel
        self._plugins = plugins

    def plugin(self, kind: str) -> NativePlugin:
        return self._plugins[kind]

    def find(self, kind: str) -> NativePlugin | None:
        """Return a plugin; None where the type is not native."""
        return self._plugins.get(kind)

    async def add(self, call: Call, conf: JsonObject) -> bytes:
        result = await self._of(conf).add(call, NetConf(conf))
        return encode_result(result, conf["cniVersion"])

    async def check(self, call: Call, conf: JsonObject) -> None:
        await self._of(conf).check(call, NetConf(conf))

    async def delete(self, call: Call, conf: JsonObject) -> None:
        await detach(self._kernel, self._of(conf), call, NetConf(conf))

    def _of(self, conf: JsonObject) -> NativePlugin:
        plugin = self._plugins[conf["type"]]
        assert plugin.unsupported(NetConf(conf)) == ""
        return plugin


async def detach(kernel: Kernel, plugin: NativePlugin, call: Call, conf: NetConf) -> None:
    """Detach as DEL does: remove the links of the plugin, then release the rest."""
    if names := plugin.links(call, conf):
        await kernel.remove_links(call.netns, names)
    await plugin.release(call, conf)


class NoPlugin:
    """A plugin lookup that finds nothing."""

    def __call__(self, plugin_type: str) -> BinaryPlugin:
        raise AssertionError(f"unexpected delegation to {plugin_type}")


class NoAddresses:
    """An address book for tests without planes."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"unexpected use of the address book: {name}")


ANYWHERE = DataDirs(("/",))
"""For tests that keep files in a directory of their own."""


def ipams(
    addresses: AddressBook | None = None,
    catalog: Callable[[], Catalog] | None = None,
    lookup: Callable[[str], BinaryPlugin] | None = None,
) -> Ipams:
    """Return the IPAM types, with what a test needs of their collaborators."""

    def no_catalog() -> Catalog:
        raise AssertionError("unexpected use of the catalog")

    book: Any = addresses or NoAddresses()
    return Ipams(book, catalog or no_catalog, lookup or NoPlugin(), dirs=ANYWHERE)


def ours(kernel: Kernel, given: Ipams | None = None) -> Ours:
    """Return our side on a kernel; its records of devices are in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="np-t-"))
    plugins = native_plugins(
        kernel,
        given or ipams(),
        NoPlugin(),
        dirs=ANYWHERE,
        records=folder / "devices",
        vf_holds=folder / "sriov",
    )
    made = Ours(kernel, plugins)
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made
