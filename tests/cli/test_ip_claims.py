"""`netplane ip` and what blocks keep for IPAMClaims, over an API server in memory."""

from __future__ import annotations

import pytest

from planes.cli.addresses.cluster_check import check
from planes.cli.claim_addresses import release_claims
from planes.kube.addresses.claim_release import SCAN_SECONDS
from planes.kube.addresses.cluster_audit import Misfit
from planes.kube.resources import IPAM_CLAIMS, IPBLOCKS
from planes.model.errors import Conflict, NotFound, Unavailable
from tests.cli.cluster_place import A, B, Place
from tests.support.command_line import netplane


@pytest.fixture
def place() -> Place:
    return Place()


async def release(place: Place, *, is_dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Release; return what was released and what stays."""
    stays: list[str] = []
    done = await release_claims(place.kube, place.clock, is_dry_run=is_dry_run, told=stays.append)
    return [str(one.address) for one in done], stays


async def test_claims_in_order_are_no_misfit(place: Place) -> None:
    """One that a pod uses; one whose machine is off, and which ends with it; one that is new."""
    place.hold(A, "vm-1", place.pod("vm-1", A, claim="vm"))
    place.keep(A, "vm", place.claim("vm", A))
    place.keep(B, "off", place.claim("off", B, owner="off"))
    place.claim("new")
    assert await place.found() == set()


async def test_what_a_claim_that_is_gone_kept_is_named(place: Place) -> None:
    """Also where another claim has its name now, or chose another address."""
    place.keep(A, "vm", "gone")
    place.claim("vm")
    place.keep(B, "off", place.claim("off", "10.9.0.202", owner="off"))
    place.keep("10.9.0.202", "off", place.claim("off", "10.9.0.202", owner="off"))
    assert await place.found() == {(Misfit.KEPT, A), (Misfit.KEPT, B)}


async def test_a_claim_that_nothing_uses_and_nothing_ends_is_named(place: Place) -> None:
    """Not while a pod that waits names it."""
    place.keep(A, "vm", place.claim("vm", A))
    assert await place.found() == {(Misfit.UNUSED, A)}
    place.pod("vm-2", claim="vm")
    assert await place.found() == set()


async def test_a_pod_that_has_the_address_of_a_claim_and_does_not_name_it_is_named(
    place: Place,
) -> None:
    place.hold(A, "web", place.pod("web", A, claim="other"))
    place.keep(A, "vm", place.claim("vm", A))
    (entry,) = await check(place.kube, place.clock)
    assert (entry.kind, entry.what, entry.pod) == (Misfit.OTHERS, A, "shop/web")


async def test_a_status_with_an_address_that_no_block_keeps_is_named(place: Place) -> None:
    """Somebody wrote it: the claim's pods are refused."""
    place.claim("vm", A)
    place.keep(B, "off", place.claim("off", B, owner="off"))
    assert await place.found() == {(Misfit.STATUS, A)}


async def test_claims_are_not_read_where_no_plane_keeps_any(place: Place) -> None:
    """A cluster without the kind, or a user without the right to list it, has no error."""
    place.hold(A, "web", place.pod("web", A))
    await place.found()
    assert all(plural != IPAM_CLAIMS.plural for _, plural, _, _ in place.kube.requests)


async def test_without_the_kind_what_is_kept_is_named_and_stays(place: Place) -> None:
    """Nothing shows which claims are gone."""
    place.keep(A, "vm", place.claim("vm", A))
    place.kube.fail_next(NotFound("no kind"), verb="list", resource=IPAM_CLAIMS, times=3)
    assert await place.found() == {(Misfit.KEPT, A)}
    with pytest.raises(NotFound, match="does not have the kind"):
        await release(place)
    assert place.kept() == [A]


async def test_release_gives_back_what_claims_that_are_gone_kept(place: Place) -> None:
    """After a second look, a minute later; the pod that has it keeps it, and so do other claims."""
    place.hold(A, "vm-1", place.pod("vm-1", A, claim="vm"))
    place.keep(A, "vm", "gone")
    place.keep(B, "off", place.claim("off", B))
    started = place.clock.monotonic()
    assert await release(place) == ([A], [])
    assert place.clock.monotonic() - started == SCAN_SECONDS
    assert place.kept() == [B]
    assert list((place.kube.objects(IPBLOCKS)[0])["holders"]) == [A]


async def test_a_dry_run_names_what_it_would_release(place: Place) -> None:
    """At once."""
    place.keep(A, "vm", "gone")
    assert await release(place, is_dry_run=True) == ([A], [])
    assert place.kept() == [A]


async def test_an_address_that_another_claim_has_at_the_second_look_stays(place: Place) -> None:
    """The leader was faster, and a pod's daemon chose the address again."""
    place.keep(A, "vm", "gone")
    place.clock.meanwhile = lambda: place.keep(A, "vm", place.claim("vm", A))
    assert await release(place) == ([], [])
    assert place.kept() == [A]


async def test_a_block_that_cannot_be_written_is_told(place: Place) -> None:
    """A daemon that was faster costs another try."""
    place.keep(A, "vm", "gone")
    place.kube.fail_next(Unavailable("cannot write"), verb="update")
    _, (stays,) = await release(place)
    assert "stays: cannot write" in stays
    place.kube.fail_next(Conflict("cannot write"), verb="update", times=9)
    _, (stays,) = await release(place)
    assert "run this again" in stays
    assert place.kept() == [A]


def test_a_node_and_claims_at_once_are_status_2() -> None:
    outcome = netplane("ip", "release", "--claims", "--node", "n1")
    assert outcome.status == 2
    assert "not allowed with argument" in outcome.err
