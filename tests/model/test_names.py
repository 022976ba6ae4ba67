"""Names are accepted and refused as libcni and Kubernetes do, each with its CNI code."""

from __future__ import annotations

import pytest

from planes.model.errors import BadInput
from planes.model.names import (
    check_container_id,
    check_ifname,
    check_network_name,
    is_dns_label,
    is_dns_subdomain,
    shown,
)


@pytest.mark.parametrize("name", ["a", "9", "cbr0", "k8s-pod-network", "A.b_c-1", "a" * 300])
def test_names_of_networks_and_containers_have_no_length_limit(name: str) -> None:
    assert check_network_name(name) == check_container_id(name) == name


@pytest.mark.parametrize("name", ["-a", ".a", "_a", "a/b", "a b", "a\n", "ä", "a:b", "../x"])
def test_a_bad_network_name_is_code_7_and_a_bad_container_id_code_4(name: str) -> None:
    with pytest.raises(BadInput) as network:
        check_network_name(name)
    with pytest.raises(BadInput) as container:
        check_container_id(name)
    assert (network.value.cni_code, container.value.cni_code) == (7, 4)


def test_an_empty_container_id_is_code_3() -> None:
    with pytest.raises(BadInput, match="cannot use an empty container ID") as error:
        check_container_id("")
    assert error.value.cni_code == 3


def test_an_empty_network_name_is_code_7() -> None:
    with pytest.raises(BadInput) as error:
        check_network_name("")
    assert error.value.cni_code == 7


@pytest.mark.parametrize(
    "name", ["eth0", "net1", "UPPER", "a.b", "...", "x" * 15, "é" * 7, "eth0@if3", "-x"]
)
def test_an_interface_name_is_what_the_kernel_takes(name: str) -> None:
    assert check_ifname(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "x" * 16,
        "é" * 8,
        "a/b",
        "net%d",
        "a%",
        "a:b",
        "a b",
        "a\t",
        "a\n",
        "\0",
        "a\u2003b",
        "\udc80",
        "a\x1b[2J",
        "a\u202eb",
    ],
)
def test_any_other_interface_name_is_code_4(name: str) -> None:
    with pytest.raises(BadInput) as error:
        check_ifname(name)
    assert error.value.cni_code == 4


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 63])
def test_a_dns_label_has_at_most_63_characters(name: str) -> None:
    assert is_dns_label(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a" * 64, "a\n", "a_b"])
def test_other_text_is_no_dns_label(name: str) -> None:
    assert not is_dns_label(name)


@pytest.mark.parametrize("name", ["a", "a.b", "web-0.shop", "a" * 253])
def test_a_dns_subdomain_has_at_most_253_characters(name: str) -> None:
    assert is_dns_subdomain(name)


@pytest.mark.parametrize("name", ["", ".", "a..b", "a.", ".a", "a.-b", "a" * 254, "A.b"])
def test_other_text_is_no_dns_subdomain(name: str) -> None:
    assert not is_dns_subdomain(name)


def test_a_foreign_name_is_shown_on_one_line_and_shortened() -> None:
    assert shown("a\nb\0") == '"a\\nb\\x00"'
    assert shown("x" * 100) == '"' + "x" * 64 + '…"'
