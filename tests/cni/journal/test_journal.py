"""The journal: an entry is read whole or not at all, whatever its bytes are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.journal.damaged import salvage
from cni.journal.entry import Entry, Stage, decode, encode
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import BadInput, Internal
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import Address, Interface, Result, Route

RESULT = Result(
    (Interface("net1", mac="02:00:00:00:00:01", mtu=1500, sandbox="/run/netns/x"),),
    (Address("10.1.0.5/24", "10.1.0.1", 0), Address("fd00::5/64", interface=0)),
    (Route("0.0.0.0/0", "10.1.0.1", priority=7, table=0),),
)


def attachment(ifname: str = "net1", result: Result | None = RESULT) -> PlannedAttachment:
    config = (
        '{"cniVersion":"1.0.0","name":"n","disableCheck":"TRUE","plugins":'
        '[{"type":"x","big":123456789012345678901234567890,"unknown":{"ä":[null,1.5]}}]}'
    )
    return PlannedAttachment(
        network="shop/n",
        conflist=parse_conflist(config),
        ifname=ifname,
        cni_args=(("IgnoreUnknown", "true"), ("IP", "10.1.0.5/24")),
        capability_args={"ips": ["10.1.0.5/24"], "portMappings": [{"hostPort": 1}]},
        args={"a": {"b": 1}},
        candidates=("10.1.0.6",),
        ips=("10.1.0.5/24",),
        claim="vm.net",
        default_route=("10.1.0.1",),
        plane="business",
        is_default=False,
        result=result,
    )


def entry(**changes: object) -> Entry:
    made = Entry(
        container_id="c1",
        ifname="eth0",
        netns="/run/netns/x",
        netns_inode=4026531840,
        network="netplane",
        cni_path=("/opt/cni/bin",),
        namespace="shop",
        pod="web",
        uid="u1",
        node="node-a",
        attachments=(attachment(), attachment("net2", None)),
        stage=Stage.ATTACHED,
        attempts=3,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the test names real fields


def test_an_entry_comes_back_as_it_went() -> None:
    assert decode(encode(entry())) == entry()


def test_numbers_of_any_size_keep_their_digits() -> None:
    assert b"123456789012345678901234567890" in encode(entry())
    assert decode(encode(entry())).attachments[0].conflist == attachment().conflist


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_altered_byte_goes_unnoticed(data: st.DataObject) -> None:
    whole = encode(entry())
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    altered = whole[:place] + bytes([other]) + whole[place + 1 :]
    with pytest.raises(Internal):
        decode(altered)


@given(st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_no_cut_goes_unnoticed(kept: int) -> None:
    with pytest.raises(Internal):
        decode(encode(entry())[:kept])


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_an_entry_or_one_error(data: bytes) -> None:
    with pytest.raises(Internal):
        decode(data)
    salvage(data)


def test_an_entry_of_a_newer_release_is_named_as_such() -> None:
    with pytest.raises(Internal, match="version 2"):
        decode(encode(entry()).replace(b'"version":1', b'"version":2', 1))


def test_interfaces_can_be_read_out_of_damage_but_never_the_callers_own() -> None:
    """With a prevResult the interface of the call is somebody else's."""
    assert salvage(encode(entry())[:-40]).ifnames == ("net1", "net2")


async def opened(root: Path) -> Journal:
    journal = Journal(root / "journal")
    await journal.open()
    return journal


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry(stage=Stage.BEGUN))
    await journal.update(entry())
    again = await opened(tmp_path)
    assert again.find(("c1", "eth0")) == entry()
    assert len(again) == 1


async def test_forgetting_may_be_repeated(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry())
    await journal.forget(("c1", "eth0"))
    await journal.forget(("c1", "eth0"))
    assert journal.entries() == ()
    assert list((tmp_path / "journal").iterdir()) == []


async def test_two_interfaces_of_a_sandbox_are_two_calls(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry())
    await journal.begin(entry(ifname="eth1"))
    await journal.forget(("c1", "eth0"))
    assert [one.ifname for one in (await opened(tmp_path)).entries()] == ["eth1"]


async def test_a_container_id_longer_than_a_file_name_is_kept_too(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry(container_id="c" * 400))
    assert (await opened(tmp_path)).find(("c" * 400, "eth0")) is not None


async def test_an_unfinished_write_is_dropped_at_start(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry())
    (tmp_path / "journal" / "c2@eth0.tmp").write_bytes(b"half")
    again = await opened(tmp_path)
    assert len(again) == 1
    assert [path.name for path in (tmp_path / "journal").iterdir()] == ["c1@eth0.json"]


async def test_a_damaged_entry_is_put_aside_and_its_links_are_known(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry())
    path = tmp_path / "journal" / "c1@eth0.json"
    path.write_bytes(path.read_bytes()[:-20])
    again = await opened(tmp_path)
    assert again.entries() == ()
    damaged = again.find_damaged(("c1", "eth0"))
    assert damaged is not None
    assert damaged.ifnames == ("net1", "net2")
    assert Path(damaged.kept).exists()
    third = await opened(tmp_path)
    assert third.damaged() == (replace(damaged, reason=""),), "known until it is settled"
    await third.forget_damaged(damaged)
    assert (third.damaged(), (await opened(tmp_path)).damaged()) == ((), ())


async def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.begin(entry())
    directory = tmp_path / "journal"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "c1@eth0.json").stat().st_mode & 0o777 == 0o600


async def test_an_entry_too_large_to_be_read_again_is_not_written(tmp_path: Path) -> None:
    """After a restart it would be damage, and what it holds would not be found."""
    journal = await opened(tmp_path)
    large = attachment(result=None)
    huge = replace(large, args={"a": "x" * (9 << 20)})
    with pytest.raises(BadInput, match="cannot attach so much"):
        await journal.begin(entry(attachments=(huge,)))
    assert (await opened(tmp_path)).entries() == ()


@pytest.mark.parametrize("name", ["c1@eth0.json", "x.tmp", "odd"])
async def test_a_directory_in_the_journal_keeps_nobody_from_opening_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "journal" / name / "inner").mkdir(parents=True)
    journal = await opened(tmp_path)
    await journal.begin(entry())
    assert len(await opened(tmp_path)) == 1


async def test_an_entry_under_the_name_of_another_is_damage(tmp_path: Path) -> None:
    """It could never be removed: it would come back at each start."""
    journal = await opened(tmp_path)
    await journal.begin(entry())
    (tmp_path / "journal" / "c1@eth0.json").rename(tmp_path / "journal" / "c2@eth0.json")
    again = await opened(tmp_path)
    assert again.entries() == ()
    assert [one.key for one in again.damaged()] == [("c2", "eth0")]


WRONG = [
    *({"containerID": 7}, {"containerID": ""}, {"callIfname": "a/b"}, {"netnsInode": "x"}),
    *({"cniPath": "x"}, {"attachments": {}}, {"attachments": [7]}, {"stage": "odd"}),
    *({"attempts": 1.5}, {"boot": 3}, {"attachments": [{"cniArgs": [["a"]]}]}),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_under_a_valid_checksum_are_one_error(wrong: dict[str, object]) -> None:
    whole = json.loads(encode(entry()))["entry"]
    body = json.dumps({**whole, **wrong}).encode()
    digest = hashlib.sha256(body).hexdigest().encode()
    with pytest.raises(Internal):
        decode(b'{"version":1,"sha256":"%s","entry":%s}\n' % (digest, body))
