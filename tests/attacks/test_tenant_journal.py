"""A tenant's pods make the largest journal entries that are allowed: the node keeps them.

32 attachments of NADs within their bounds were 4.7 MiB of a daemon's memory for each pod once it
had started anew, so that the pods of one tenant ended it, at each start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from cni.journal.entry import Entry
from cni.journal.files import entry_path, read_entries, write_entry
from cni.plugins.attachment import PlannedAttachment
from planes.model.annotations.selection import read_selections
from planes.model.bounds import MAX_CONFIG_VALUES_OF_POD, MAX_NETWORKS_VALUES
from planes.model.decide.decision import Decision, decide
from planes.model.names import DEFAULT_NETWORK_ANNOTATION
from planes.model.objects import Nad, Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import parse_conflist
from tests.attacks.objects import joined_namespace, nad_object
from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.model import make_catalog, make_plane, pod_object
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node

PADDING = ["1.0.0"] * 2000
"""What nobody minds: a list's `cniVersions`."""


def config(*, values: int = 0, text: str = "") -> str:
    """Return a configuration of a bridge, so large."""
    more = {"cniVersions": PADDING[:values]} if values else {}
    plugins = [{"type": "bridge", "bridge": "br-own"}]
    body = {"cniVersion": "1.0.0", "name": "own", **more, "plugins": plugins}
    return orjson.dumps(body).decode() + " " * len(text)


def ask(catalog: Catalog, networks: str, **annotations: str) -> Decision:
    pod = pod_object(namespace="evil", networks=networks, annotations=annotations)
    return decide(Pod.from_object(pod), Namespace("evil"), catalog)


def catalog_with(text: str) -> Catalog:
    return make_catalog(make_plane(), nads=[Nad("evil", "own", text)])


@pytest.mark.parametrize("text", [config(values=2000), config(text="x" * (30 << 10))])
def test_tenant_s_pod_brings_no_more_than_a_node_should_keep(text: str) -> None:
    catalog = catalog_with(text)
    refused = ask(catalog, ",".join(["own"] * 32))
    assert "cannot attach 32 networks" in refused.message
    assert refused.status == 422
    assert not ask(catalog, "own,own").denied


def test_tenant_s_network_in_place_of_the_default_one_counts() -> None:
    catalog = catalog_with(config(values=2000))
    assert not ask(catalog, "own,own").denied
    wish = {DEFAULT_NETWORK_ANNOTATION: "evil/own"}
    assert "cannot attach 3 networks" in ask(catalog, "own,own", **wish).message


def test_usual_networks_are_attached_as_many_as_there_may_be() -> None:
    assert not ask(catalog_with(config(values=100)), ",".join(["own"] * 32)).denied


def test_tenant_asks_plugins_for_no_more_than_a_node_should_keep() -> None:
    """`args` of plugins were 1.4 MiB of a pod, from an annotation of 64 KiB."""
    wishes: list[Any] = [[] for _ in range(MAX_NETWORKS_VALUES // 2)]
    text = orjson.dumps([{"name": "own", "cni-args": {"x": wishes}}]).decode()
    (error,) = read_selections(text, "evil").errors
    assert "commas and brackets" in error.message
    assert error.remedy


def test_tenant_s_entries_share_what_is_read_of_one_network(tmp_path: Any) -> None:
    """A daemon that starts anew needs no more memory than it had."""
    conflist = parse_conflist(config(values=MAX_CONFIG_VALUES_OF_POD // 4))
    one = PlannedAttachment("evil/own", conflist, "net1")
    entry = Entry("c1", "eth0", "/n", 1, "own", (), "evil", "p", "u", "node", (one,))
    entry = replace(entry, attachments=(one, replace(one, ifname="net2")))
    for name in ("c1", "c2"):
        each = replace(entry, container_id=name)
        write_entry(entry_path(tmp_path, each.key), each, True)
    found = read_entries(tmp_path).entries
    assert len(found) == 2
    assert found[0].attachments[0].conflist == conflist
    assert len({id(each.conflist) for entry in found for each in entry.attachments}) == 1


@pytest.mark.kernel
def test_tenant_s_pod_is_refused_where_no_webhook_looked(daemon: Place, here: Node) -> None:
    set_up(daemon)
    kind = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}
    thief = pod_object("fat", namespace="evil", networks=",".join(["own"] * 32))
    daemon.manifest(
        "evil",
        joined_namespace("evil"),
        kind | nad_object("own", "evil", config=config(values=2000)),
        {"apiVersion": "v1", "kind": "Pod", **thief},
    )
    daemon.start("--nads", "guarded")
    with pytest.raises(CniError, match="cannot attach 32 networks"):
        daemon.call("ADD", here.sandbox.path, pod="evil/fat")
    assert leftovers(daemon, here) == NOTHING
