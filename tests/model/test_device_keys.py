"""The device in a configuration: every plugin gets it, and no other one is left."""

from __future__ import annotations

import json

import pytest

from planes.model.errors import BadInput
from planes.model.wire.device_info import MOST_BYTES, encode_device_info, parse_device_info
from planes.model.wire.device_keys import with_device
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import Interface, Result
from planes.model.wire.status import statuses_of

PCI = "0000:03:02.1"


def test_every_plugin_of_a_list_gets_both_keys() -> None:
    """As Multus, whatever the type."""
    plugins: list[dict[str, object]] = [{"type": "sriov", "vlan": 5}, {"type": "tuning"}]
    made = with_device(
        parse_conflist({"cniVersion": "1.0.0", "name": "n", "plugins": plugins, "x": 1}), PCI
    )
    keys: dict[str, object] = {"deviceID": PCI, "pciBusID": PCI}
    assert [plugin.raw for plugin in made.plugins] == [{**each, **keys} for each in plugins]
    again = parse_conflist(made.text)
    assert [plugin.raw for plugin in again.plugins] == [plugin.raw for plugin in made.plugins]
    assert json.loads(made.text)["x"] == 1


def test_no_other_device_is_left_in_any_letter_case_or_place() -> None:
    conf = {
        "type": "sriov",
        "deviceid": "other",
        "PciBusID": "other",
        "RuntimeConfig": {"DeviceID": "other", "mac": "02:00:00:00:00:01"},
    }
    made = with_device(parse_conflist({"cniVersion": "1.0.0", "name": "n", **conf}), PCI)
    assert "other" not in made.text
    assert made.plugins[0].raw["RuntimeConfig"] == {"mac": "02:00:00:00:00:01"}


def test_the_given_configuration_stays_as_it_is() -> None:
    given = parse_conflist({"cniVersion": "1.0.0", "name": "n", "type": "sriov"})
    before = json.dumps(given.raw)
    with_device(given, PCI)
    assert json.dumps(given.raw) == before


def test_information_keeps_the_members_of_the_specification_in_multus_order() -> None:
    text = (
        '{"pci":{"pf-pci-address":"0000:03:00.0","pci-address":"0000:03:02.1","x":1},'
        '"version":"1.1.0","more":[],"type":"pci"}'
    )
    info = parse_device_info(text.encode())
    assert encode_device_info(info) == (
        b'{"type":"pci","version":"1.1.0",'
        b'"pci":{"pci-address":"0000:03:02.1","pf-pci-address":"0000:03:00.0"}}'
    )
    assert parse_device_info(encode_device_info(info)) == info


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"type":1}', b'{"pci":"x"}', b'{"pci":{"pci-address":[]}}']
)
def test_information_of_another_form_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput):
        parse_device_info(text)


def test_information_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadInput, match="more than"):
        parse_device_info(b" " * (MOST_BYTES + 1))


def test_every_element_of_network_status_has_the_information() -> None:
    links = [Interface("net1", sandbox="/n"), Interface("net1b", sandbox="/n")]
    info = {"type": "pci"}
    for count in (1, 2):
        result = Result(interfaces=tuple(links[:count]))
        found = statuses_of("n", result, is_default=False, ifname="net1", device_info=info)
        assert [each.to_json()["device-info"] for each in found] == [info] * count
