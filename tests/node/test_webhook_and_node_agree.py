"""The webhook and the node decide the same about a pod."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from planes.cli.admission import Admission
from planes.model.errors import Denied, JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from tests.node.refused import REFUSED
from tests.support.node.netns import Namespace
from tests.support.node.node import NAMESPACE, LiveNode, addresses_in, netconf
from tests.support.selections import parse_selections
from tests.support.webhook.process import webhook

pytestmark = pytest.mark.kernel

NO_CLUSTER_NETWORK = netconf(delegate={})
ADMITTED: dict[str, dict[str, str]] = {
    "nothing asked": {},
    "a NAD": {NETWORKS_ANNOTATION: "lab@lab0"},
    "a NAD in JSON": {NETWORKS_ANNOTATION: '[{"name": "lab", "interface": "lab0"}]'},
    "a plane by name": {NETWORKS_ANNOTATION: "netplane-system/storage"},
    "a plane with another interface": {
        NETWORKS_ANNOTATION: "netplane-system/business@biz0,lab@lab0"
    },
    "a static address": {STATIC_IPS_ANNOTATION: '{"business": ["192.168.100.{last}"]}'},
    "an address in the annotation": {
        NETWORKS_ANNOTATION: '[{"name": "business", "namespace": "netplane-system",'
        ' "ips": ["192.168.100.{last}/16"]}]'
    },
    "a MAC": {
        NETWORKS_ANNOTATION: '[{"name": "business", "namespace": "netplane-system",'
        ' "mac": "02:00:00:00:00:{last}"}]'
    },
}


@pytest.fixture(scope="module")
def admission(shared: LiveNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admission]:
    home = tmp_path_factory.mktemp("webhook")
    with webhook(shared.manifests, home, shared.state) as made:
        yield made


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_node_refuses_admission_refuses_in_the_same_words(
    node: LiveNode, sandbox: Namespace, admission: Admission, name: str
) -> None:
    pod = f"refused{list(REFUSED).index(name)}"
    with pytest.raises(Denied) as early:
        admission.admit(node.pod_object(pod, REFUSED[name].annotations))
    node.put_pod(pod, REFUSED[name].annotations)
    late = node.call("ADD", "c1", sandbox, stdin=NO_CLUSTER_NETWORK, pod=pod).error
    findings = _numbered(late["msg"].removeprefix(f"cannot attach pod shop/{pod}: "))
    told = early.value.remedy
    assert [finding for finding in findings if finding not in told] == []
    assert _numbered(late.get("details", ""))[0] in told


def _numbered(text: str) -> list[str]:
    """Return the parts of "(1) one (2) another", or the text where it has one part only."""
    return [part for part in re.split(r"(?:^| )(?:\(\d+\) ?)+", text) if part] or [text]


@pytest.mark.parametrize("name", ADMITTED)
def test_a_pod_gets_the_same_with_admission_and_without(
    node: LiveNode, sandbox: Namespace, admission: Admission, name: str
) -> None:
    number = list(ADMITTED).index(name)
    admitted = admission.admit(_asking(node, f"a{number}", name, 10 + number)).pod
    with_admission = _attached(node, sandbox, admitted)
    without = _attached(node, sandbox, _asking(node, f"u{number}", name, 30 + number))
    assert with_admission.keys() == without.keys()
    assert "net1" in with_admission or "biz0" in with_admission or "lab0" in with_admission


@pytest.mark.parametrize("name", ADMITTED)
def test_the_node_attaches_what_admission_wrote_and_nothing_else(
    node: LiveNode, sandbox: Namespace, admission: Admission, name: str
) -> None:
    number = list(ADMITTED).index(name)
    admitted = admission.admit(_asking(node, f"w{number}", name, 50 + number)).pod
    found = _attached(node, sandbox, admitted)
    written = _written(admitted)
    assert found.keys() == written.keys()
    for ifname, asked in written.items():
        assert not asked or found[ifname] == asked
    events = [one for one in node.events() if one["involvedObject"]["name"] == f"w{number}"]
    assert "PlaneRepaired" not in {event["reason"] for event in events}


def _asking(node: LiveNode, pod: str, name: str, last: int) -> JsonObject:
    """Return a pod that asks as the case says; `last` ends its address where it names one."""
    asked = {key: text.replace("{last}", str(last)) for key, text in ADMITTED[name].items()}
    return node.pod_object(pod, asked)


def _attached(node: LiveNode, sandbox: Namespace, pod: JsonObject) -> dict[str, list[str]]:
    """Attach a pod, look, and detach it."""
    name = pod["metadata"]["name"]
    node.pods.put(pod)
    added = node.call("ADD", name, sandbox, stdin=NO_CLUSTER_NETWORK, pod=name)
    assert added.status == 0, added.stdout
    found = addresses_in(sandbox)
    assert node.call("DEL", name, sandbox, pod=name).status == 0
    node.pods.remove(NAMESPACE, name)
    return found


def _written(pod: JsonObject) -> dict[str, list[str]]:
    """Interfaces and addresses as the annotation has them."""
    text = pod["metadata"]["annotations"][NETWORKS_ANNOTATION]
    return {
        one.interface or f"net{position}": list(one.ips)
        for position, one in enumerate(parse_selections(text, NAMESPACE), start=1)
    }
