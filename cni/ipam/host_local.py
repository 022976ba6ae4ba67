"""IPAM type `host-local`: addresses from ranges, kept in files of this host.

Shares a directory with the reference plugin, at the same time. Its error texts are kept as causes,
since people search for them. Blocking work runs in threads (the lock is flock).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cni.host.chroot import resolve
from cni.host.data_dirs import DataDirs
from cni.ipam import requested
from cni.ipam.host_local_files import HostLocalFiles, NetworkFiles, owner_text
from cni.ipam.ranges import RangeReader, RangeSet
from cni.ipam.used_networks import UsedNetworks
from cni.plugins.address_taken import AddressTaken
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress
from planes.model.bounds import MAX_DNS, MAX_RESOLV_CONF_BYTES
from planes.model.errors import BadInput, Conflict, Exhausted, NotFound
from planes.model.names import check_network_name, shown
from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Dns, Result
from planes.run.files import read_regular
from planes.run.jobs import start
from planes.run.shielded import shielded

HOST_LOCAL = "host-local"
_DATA_DIR = "/var/lib/cni/networks"


@dataclass(frozen=True, slots=True)
class _Job:
    network: str
    directory: str
    container_id: str
    ifname: str
    sets: tuple[RangeSet, ...]
    wanted: tuple[IPAddress, ...]

    @property
    def owner(self) -> str:
        return owner_text(self.container_id, self.ifname)


class HostLocal:
    """IPAM type `host-local`; one object for all networks of the host.

    Args:
        files: the directories of all networks.
        dirs: below which a tenant's netconf may have its directory.
        root: path of the host's root directory, for its resolv.conf; "" where it is ours.
        used: records the directories before the first address; None for no record.
    """

    def __init__(
        self,
        files: HostLocalFiles,
        dirs: DataDirs,
        root: str = "",
        used: UsedNetworks | None = None,
    ) -> None:
        self._used = used
        self._files = files
        self._dirs = dirs
        self._root = root
        self._ranges = RangeReader()

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Reserve one address of each range set; see `take`."""

        async def undo(_result: Result) -> None:
            await start(lambda: self.give_back(call, conf))

        return await shielded(start(lambda: self.take(call, conf)), undo)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Release the addresses of the attachment; see `give_back`."""
        await shielded(start(lambda: self.give_back(call, conf)))

    def take(self, call: Call, conf: NetConf) -> Result:
        """Reserve one address of each range set; blocks.

        Raises:
            BadInput: the configuration or a requested address is wrong.
            Conflict: a requested address is taken, or the attachment has one already.
            Exhausted: a range set has no free address.
        """
        job = self._job(call, conf)
        ipam = requested.ipam_fields(conf)
        routes = requested.declared_routes(ipam)
        resolv_conf = ipam.string("resolvConf")
        if self._used is not None:
            self._used.note(job.directory)
        dns = read_resolv_conf(resolv_conf, self._root) if resolv_conf else Dns()
        return Result(ips=self._allocate(job), routes=routes, dns=dns)

    def give_back(self, call: Call, conf: NetConf) -> None:
        """Release the addresses of the attachment; needs neither valid ranges nor the namespace.

        Blocks.

        Raises:
            PlanesError: the directory cannot be read.
        """
        directory = directory_of(conf)
        if call.is_confined:
            found = self._dirs.find(directory)
            if found is None:
                return  # its ADD was refused
            directory = found
        if not os.path.isdir(directory):
            return
        with self._files.locked(directory) as files:
            files.release(call.container_id, call.ifname)

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the attachment holds no address.

        Raises:
            NotFound: it holds none.
        """
        job = self._job(call, conf)

        def find() -> bool:
            with self._files.locked(job.directory) as files:
                return bool(files.owned_by(job.container_id, job.ifname))

        if not await shielded(start(find)):
            raise NotFound(
                f"cannot find the address of container {job.container_id} in network {job.network}"
            )

    async def status(self, call: Call, conf: NetConf) -> None:
        """Never raise, as the reference plugin."""

    def _job(self, call: Call, conf: NetConf) -> _Job:
        sets = self._ranges.read(conf)
        network, directory = conf.name, directory_of(conf)
        if call.is_confined:
            directory = self._dirs.confined(directory)
            network = os.path.basename(directory)
        _check_count(conf, sets)
        wanted = _wanted(call, conf)
        return _Job(network, directory, call.container_id, call.ifname, sets, wanted)

    def _allocate(self, job: _Job) -> tuple[Address, ...]:
        wanted = list(job.wanted)
        taken: list[Address] = []
        with self._files.locked(job.directory) as files:
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
            raise BadInput(
                f"{where}: requested ip {asked} is subnet's gateway",
                remedy="ask for another address of the range",
            )
        if not files.reserve(job.owner, asked, index):
            raise AddressTaken(
                f"{where}: requested IP address {asked} is not available in range set {one}",
                os.path.join(job.directory, str(asked)),
                files.owner_of(asked),
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
    raise Exhausted(
        f"{where}: no IP addresses available in range set: {one}",
        remedy="delete pods of this network on this node, or widen its range; each file in "
        f"{shown(job.directory, 200)} names the container that has it",
    )


def _refuse_rest(wanted: list[IPAddress]) -> None:
    if wanted:
        names = " ".join(str(ip) for ip in wanted)
        raise BadInput(
            f"cannot allocate all requested IPs: {names}",
            remedy="ask for addresses inside the ranges, one of each range set",
        )


def directory_of(conf: NetConf) -> str:
    """Return the directory in which the reference plugin keeps the addresses of a network.

    Raises:
        BadInput: the name or dataDir cannot be used.
    """
    data_dir = requested.ipam_fields(conf).string("dataDir") or _DATA_DIR
    return os.path.join(data_dir, check_network_name(conf.name))


def _wanted(call: Call, conf: NetConf) -> tuple[IPAddress, ...]:
    sources = (
        requested.from_cni_args(call)[:1],
        requested.from_args(conf),
        requested.from_runtime(conf),
    )
    texts = requested.bounded("addresses", [text for source in sources for text in source])
    return tuple(dict.fromkeys(requested.bare(text) for text in texts))


def _check_count(conf: NetConf, sets: tuple[RangeSet, ...]) -> None:
    for version in (4, 6) if len(sets) > 1 else ():
        count = sum(one.ranges[0].first.version == version for one in sets)
        if count > 1 and not at_least(conf.cni_version, "0.3.0"):
            raise BadInput(
                f"cannot use {count} IPv{version} range sets: CNI version {conf.cni_version}"
                " does not support more than 1 address per family",
                remedy="set cniVersion to 0.3.1 or later",
            )


def read_resolv_conf(path: str, root: str = "") -> Dns:
    """Read a resolver configuration (resolv.conf(5)) of the host; blocks.

    Raises:
        NotFound: it cannot be read, is no regular file, or is too large for one.
        BadInput: it has more entries than a result may have.
    """
    try:
        data = read_regular(resolve(root, path), MAX_RESOLV_CONF_BYTES, follows=True)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is no path"
        raise NotFound(
            f"cannot read resolvConf {shown(path)} on this node: {cause}",
            remedy="name a file like resolv.conf(5) of the node, or leave resolvConf out",
        ) from error
    lines = [line.split() for line in data.decode("utf-8", "replace").splitlines()]
    said = [words for words in lines if len(words) > 1 and words[0][0] not in "#;"]
    dns = Dns(
        nameservers=tuple(words[1] for words in said if words[0] == "nameserver"),
        domain=next((words[1] for words in reversed(said) if words[0] == "domain"), ""),
        search=tuple(word for words in said if words[0] == "search" for word in words[1:]),
        options=tuple(word for words in said if words[0] == "options" for word in words[1:]),
    )
    if max(map(len, (dns.nameservers, dns.search, dns.options))) > MAX_DNS:
        raise BadInput(
            f"cannot use resolvConf {shown(path)}: it has more than {MAX_DNS} entries",
            remedy="name a shorter file",
        )
    return dns
