"""IPAM type `host-local`: addresses from ranges, kept in files of this host.

Interoperates with the reference plugin on one directory at one time; its texts of refusal are
kept as causes, since people search for them. Blocking work runs in threads (the lock is flock).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cni.completion import complete
from cni.data_dirs import DataDirs
from cni.ipam import requested
from cni.ipam.address_files import AddressFiles, NetworkFiles, owner_text
from cni.ipam.ranges import RangeReader, RangeSet
from cni.plugin import Call
from cni.rooted import resolve
from planes.model.addresses import IPAddress
from planes.model.bounds import MAX_DNS, MAX_RESOLV_CONF_BYTES
from planes.model.errors import BadInput, Conflict, Exhausted, NotFound
from planes.model.names import check_network_name, shown
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Dns, Result
from planes.store.files import read_regular

T = TypeVar("T")

_DATA_DIR = "/var/lib/cni/networks"


@dataclass(frozen=True, slots=True)
class _Job:
    network: str
    data_dir: str
    container_id: str
    ifname: str
    sets: tuple[RangeSet, ...] = ()
    wanted: tuple[IPAddress, ...] = ()

    @property
    def owner(self) -> str:
        return owner_text(self.container_id, self.ifname)


class HostLocal:
    """The type; one object for all networks of the host.

    Args:
        files: the directories of all networks.
        dirs: below which a netconf may have its directory.
        root: where the host's root directory is, for its resolv.conf; "" where it is ours.
    """

    def __init__(self, files: AddressFiles, dirs: DataDirs, root: str = "") -> None:
        self._files = files
        self._dirs = dirs
        self._root = root
        self._ranges = RangeReader()

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Reserve one address of each range set; see `take`."""

        async def undo(_result: Result) -> None:
            await _in_thread(lambda: self.give_back(call, conf))

        return await complete(_in_thread(lambda: self.take(call, conf)), undo)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Give back what the attachment holds; see `give_back`."""
        await complete(_in_thread(lambda: self.give_back(call, conf)))

    def take(self, call: Call, conf: NetConf) -> Result:
        """Reserve one address of each range set; blocks.

        Raises:
            BadInput: the configuration or a requested address is wrong.
            Conflict: a requested address is taken, or the attachment has one already.
            Exhausted: a range set has no free address.
        """
        job = self._job(call, conf, self._ranges.read(conf))
        routes = requested.declared_routes(conf)
        resolv_conf = requested.ipam_fields(conf).string("resolvConf")
        dns = read_resolv_conf(resolv_conf, self._root) if resolv_conf else Dns()
        return Result(ips=self._allocate(job), routes=routes, dns=dns)

    def give_back(self, call: Call, conf: NetConf) -> None:
        """Give back what the attachment holds; needs neither valid ranges nor the namespace.

        Blocks.

        Raises:
            PlanesError: the directory cannot be read.
        """
        if call.is_confined and self._is_foreign(conf):
            return  # nothing was ever taken there
        job = self._job(call, conf)
        if not os.path.isdir(os.path.join(job.data_dir, job.network)):
            return
        with self._files.locked(job.data_dir, job.network) as files:
            files.release(job.container_id, job.ifname)

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the attachment holds no address.

        Raises:
            NotFound: it holds none.
        """
        job = self._job(call, conf, self._ranges.read(conf))

        def find() -> bool:
            with self._files.locked(job.data_dir, job.network) as files:
                return bool(files.owned_by(job.container_id, job.ifname))

        if not await complete(_in_thread(find)):
            raise NotFound(
                f"cannot find the address of container {job.container_id} in network {job.network}"
            )

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail: never, as the reference."""

    def _is_foreign(self, conf: NetConf) -> bool:
        path = os.path.join(_data_dir(conf), check_network_name(conf.name))
        return self._dirs.find(path) is None

    def _job(self, call: Call, conf: NetConf, sets: tuple[RangeSet, ...] = ()) -> _Job:
        data_dir, network = _data_dir(conf), check_network_name(conf.name)
        if call.is_confined:
            data_dir, network = os.path.split(self._dirs.confined(os.path.join(data_dir, network)))
        if not sets:
            return _Job(network, data_dir, call.container_id, call.ifname)
        _check_count(conf, sets)
        wanted = _wanted(call, conf)
        return _Job(network, data_dir, call.container_id, call.ifname, sets, wanted)

    def _allocate(self, job: _Job) -> tuple[Address, ...]:
        wanted = list(job.wanted)
        taken: list[Address] = []
        with self._files.locked(job.data_dir, job.network) as files:
            try:
                for index, one in enumerate(job.sets):
                    asked = next((ip for ip in wanted if one.range_of(ip) is not None), None)
                    if asked is not None:
                        wanted.remove(asked)
                    taken.append(_take(files, job, index, asked))
                _refuse_rest(wanted)
            except Exception:
                for address in taken:
                    files.remove(requested.bare(address.address), job.owner)
                raise
        return tuple(taken)


def _take(files: NetworkFiles, job: _Job, index: int, asked: IPAddress | None) -> Address:
    one = job.sets[index]
    where = f"cannot allocate for range {index}"
    if asked is not None:
        found = one.range_of(asked)
        if found is None or asked == found.gateway:
            raise BadInput(f"{where}: requested ip {asked} is subnet's gateway")
        if not files.reserve(job.owner, asked, index):
            raise Conflict(
                f"{where}: requested IP address {asked} is not available in range set {one}"
            )
        return Address(f"{asked}/{found.subnet.prefixlen}", str(found.gateway))
    for held in files.owned_by(job.container_id, job.ifname):
        if one.range_of(held) is not None:
            raise Conflict(
                f"{where}: {held} has been allocated to {job.container_id}, duplicate allocation"
                " is not allowed",
                remedy="DEL the attachment before adding it again",
            )
    for address, found in one.after(files.last_reserved(index)):
        if files.reserve(job.owner, address, index):
            return Address(f"{address}/{found.subnet.prefixlen}", str(found.gateway))
    raise Exhausted(f"{where}: no IP addresses available in range set: {one}")


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(None, work)


def _refuse_rest(wanted: list[IPAddress]) -> None:
    if wanted:
        names = " ".join(str(ip) for ip in wanted)
        raise BadInput(
            f"cannot allocate all requested IPs: {names}",
            remedy="ask for addresses inside the ranges, one of each range set",
        )


def _data_dir(conf: NetConf) -> str:
    return requested.ipam_fields(conf).string("dataDir") or _DATA_DIR


def _wanted(call: Call, conf: NetConf) -> tuple[IPAddress, ...]:
    sources = (
        requested.from_cni_args(call)[:1],
        requested.from_args(conf),
        requested.from_runtime(conf),
    )
    texts = requested.bounded("addresses", [text for source in sources for text in source])
    return tuple(dict.fromkeys(requested.bare(text) for text in texts))


def _check_count(conf: NetConf, sets: tuple[RangeSet, ...]) -> None:
    for version in (4, 6):
        count = sum(one.ranges[0].first.version == version for one in sets)
        if count > 1 and not at_least(conf.cni_version, "0.3.0"):
            raise BadInput(
                f"cannot use {count} IPv{version} range sets: CNI version {conf.cni_version}"
                " does not support more than 1 address per family"
            )


def read_resolv_conf(path: str, root: str = "") -> Dns:
    """Read a resolver configuration (resolv.conf(5)), where it is with `root` as root; blocks.

    Raises:
        NotFound: it cannot be read, is no regular file, or is too large for one.
        BadInput: it says more than a result can.
    """
    try:
        data = read_regular(resolve(root, path), MAX_RESOLV_CONF_BYTES, follows=True)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is no path"
        raise NotFound(f"cannot read resolvConf {shown(path)}: {cause}") from error
    lines = [line.split() for line in data.decode("utf-8", "replace").splitlines()]
    said = [words for words in lines if len(words) > 1 and words[0][0] not in "#;"]
    dns = Dns(
        nameservers=tuple(words[1] for words in said if words[0] == "nameserver"),
        domain=next((words[1] for words in reversed(said) if words[0] == "domain"), ""),
        search=tuple(word for words in said if words[0] == "search" for word in words[1:]),
        options=tuple(word for words in said if words[0] == "options" for word in words[1:]),
    )
    if max(map(len, (dns.nameservers, dns.search, dns.options))) > MAX_DNS:
        raise BadInput(f"cannot use resolvConf {shown(path)}: it has more than {MAX_DNS} entries")
    return dns
