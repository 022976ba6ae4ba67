"""Errors of ADD, CHECK and DEL name their attachment once, and the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.host.exec import Completed
from cni.journal.error_subject import ErrorSubject, cannot_attach
from cni.planning.plan_faults import name_faults, raise_all
from planes.model.errors import BadInput, Exhausted, Internal, PlanesError, Unavailable
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.exec import PluginCall, failed, plain
from tests.support.cni.runtime import Bench

PLANE = "plane business (NAD netplane-system/business)"


async def refuse(call: PluginCall) -> Completed:
    return failed("no such thing", 142, "make it") if call.verb == "ADD" else await plain(call)


async def why(made: Bench, verb: str = "ADD") -> PlanesError:
    with pytest.raises(PlanesError) as caught:
        await made.call(verb)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("one", 'eth0 to the default network cluster on node node-a: plugin type="one"'),
        ("two", 'net1 to NAD shop/chain on node node-a: plugin type="two" name="chain"'),
        ("macvlan", f'net3 to {PLANE} on node node-a: plugin type="macvlan"'),
    ],
)
async def test_an_executed_plugins_error_names_its_attachment(
    tmp_path: Path, kind: str, told: str
) -> None:
    made = await bench(tmp_path)
    made.exec.scripts[kind] = refuse
    error = await why(made)
    assert error.message.startswith(f"cannot attach {told}")
    assert error.message.endswith("failed (add): no such thing")
    assert (error.cni_code, error.remedy) == (142, "make it")


async def test_a_native_plugins_error_names_its_attachment(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.native.add_error = Exhausted("cannot take an address: none is free", remedy="widen it")
    error = await why(made)
    assert isinstance(error, Exhausted)
    assert error.message == (
        "cannot attach net2 to NAD shop/inside on node node-a: cannot take an address: none is free"
    )
    assert error.remedy == "widen it"


async def test_a_claim_that_fails_before_any_plugin_names_its_attachment(tmp_path: Path) -> None:
    store = shop_store()

    async def away(*_args: object, **_kwargs: object) -> object:
        raise Unavailable("cannot take an address in plane business: the API server is away")

    store.addresses.claim = away  # type: ignore[assignment,method-assign]  # a script of this test
    error = await why(await bench(tmp_path, store))
    assert error.message == (
        "cannot attach net3 to NAD netplane-system/business on node node-a: cannot take an "
        "address in plane business: the API server is away"
    )


async def test_a_missing_binary_names_its_attachment_and_no_flag(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    del made.exec.scripts["two"]
    error = await why(made)
    assert error.message.startswith(
        'cannot attach net1 to NAD shop/chain on node node-a: cannot find plugin "two" in path ['
    )
    assert "--" not in error.remedy


async def test_several_faults_name_their_attachments_and_the_node_once(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks="chain, chain@x"))
    del made.exec.scripts["two"]
    error = await why(made)
    assert error.message.startswith("cannot attach shop/web on node node-a: ")
    assert error.message.count("node-a") == 1
    for one in ("cannot attach net1 to NAD shop/chain: ", "cannot attach x to NAD shop/chain: "):
        assert error.message.count(one) == 1


def test_an_interface_name_used_twice_names_both_networks() -> None:
    attachments = [
        ErrorSubject("eth0", "cluster", is_default=True),
        ErrorSubject("eth0", "shop/inside"),
    ]
    with pytest.raises(BadInput) as caught:
        raise_all("attach shop/web", "a", name_faults(attachments, frozenset()))
    assert caught.value.message == (
        "cannot attach eth0 to NAD shop/inside on node a: cannot make two interfaces of that name, "
        "and the default network cluster has it"
    )


async def test_a_del_to_be_repeated_names_what_is_left_and_the_node(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")

    async def stuck(call: PluginCall) -> Completed:
        return failed("stuck")

    made.exec.scripts["two"] = stuck
    error = await why(made, "DEL")
    assert error.message.startswith(
        "cannot detach all networks on node node-a: net1 (NAD shop/chain): plugin"
    )


def test_what_a_message_names_already_is_not_named_again() -> None:
    named = ErrorSubject("net1", "shop/db", plane="business")
    error = BadInput("cannot read the NAD shop/db: it is no JSON")
    assert cannot_attach(named, error, "a").message == (
        "cannot attach net1 to plane business on node a: cannot read the NAD shop/db: it is no JSON"
    )
    other = BadInput("cannot read the NAD shop/db-2: it is no JSON")
    assert "(NAD shop/db)" in cannot_attach(named, other).message


def test_an_error_that_several_wait_for_is_left_as_it_is() -> None:
    shared = Internal("cannot go on", remedy="wait", code=77)
    told = cannot_attach(ErrorSubject("net1", "shop/db"), shared, "a")
    assert (shared.message, str(shared)) == ("cannot go on", "cannot go on; wait")
    assert isinstance(told, Internal)
    assert (told.remedy, told.cni_code) == ("wait", 77)
    assert told.args == (told.message,)
