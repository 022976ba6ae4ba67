"""The API server: speed, rights, clock, and the certificates that it trusts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from planes.cli.doctor.diagnosis import CannotCheck
from planes.cli.doctor.facts.api_server import (
    OF_DAEMON,
    OF_READER,
    ApiServerFacts,
    clock_skew,
    read_api_server,
)
from planes.cli.doctor.facts.certificates import (
    SeenCertificate,
    authorities,
    read_authorities,
    served,
)
from planes.cli.doctor.judging.api_server import judge_api_server, judge_clock
from planes.cli.doctor.judging.certificates import judge_certificates
from planes.kube.resources import MUTATING_HOOKS, NAMESPACES, SELF_REVIEWS, Resource
from planes.model.errors import Denied, JsonObject, Unavailable
from tests.cli.doctor.values import only
from tests.support.certificates import current, make_root
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.scripted_api import client_of, scripted_api

DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
AT = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()


class Reviewing(FakeKube):
    """An API server that answers reviews of rights.

    Attributes:
        denied: resources that nobody may use.
    """

    def __init__(self, *denied: str) -> None:
        super().__init__()
        self.denied = denied

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        if resource != SELF_REVIEWS:
            return await super().create(resource, obj, namespace=namespace)
        self._asked("create", resource, namespace)
        asked = obj["spec"]["resourceAttributes"]
        return {"status": {"allowed": asked["resource"] not in self.denied}}


async def asked(kube: FakeKube, *, is_daemon: bool = False) -> ApiServerFacts:
    return await read_api_server(kube, lambda: "", is_daemon=is_daemon)


@pytest.mark.parametrize("is_daemon", [True, False])
async def test_nothing_is_wrong_with_an_account_that_may_all(*, is_daemon: bool) -> None:
    kube = Reviewing()
    found = await asked(kube, is_daemon=is_daemon)
    reviews = [one for one in kube.requests if one[1] == SELF_REVIEWS.plural]
    assert len(reviews) == len(OF_DAEMON if is_daemon else OF_READER)
    assert not list(judge_api_server(found))


async def test_missing_rights_of_the_daemon_are_an_error() -> None:
    found = only(judge_api_server(await asked(Reviewing("ipblocks"), is_daemon=True)))
    assert found.severity == "error"
    assert "get ipblocks.netplane.io, list ipblocks.netplane.io" in found.what


async def test_missing_rights_of_a_user_are_a_hint() -> None:
    found = only(judge_api_server(await asked(Reviewing("pods"))))
    assert (found.severity, "list pods -n netplane-system" in found.what) == ("hint", True)


async def test_a_refusal_is_an_answer_and_an_outage_is_none() -> None:
    kube = Reviewing()
    kube.fail_next(Denied("no"), resource=NAMESPACES, times=1)
    await asked(kube)
    kube.fail_next(Unavailable("cannot get: away"), resource=NAMESPACES)
    with pytest.raises(Unavailable):
        await asked(kube)


async def test_rights_that_cannot_be_asked_for_are_not_checked() -> None:
    kube = Reviewing()
    kube.fail_next(Denied("cannot create: forbidden"), resource=SELF_REVIEWS)
    with pytest.raises(CannotCheck, match="which rights are missing: cannot create: forbidden"):
        list(judge_api_server(await asked(kube)))


def test_a_slow_api_server_is_found() -> None:
    assert "took 2.5 s" in only(judge_api_server(ApiServerFacts(2.5))).what


@pytest.mark.parametrize(
    ("skew", "expected"), [(2.0, []), (-30.0, ["warning"]), (300.0, ["error"])]
)
def test_a_clock_that_is_off_is_found(skew: float, expected: list[str]) -> None:
    assert [one.severity for one in judge_clock(ApiServerFacts(0.1, skew))] == expected


def test_a_server_without_date_says_nothing_of_the_clock() -> None:
    with pytest.raises(CannotCheck):
        list(judge_clock(ApiServerFacts(0.1)))


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Jan 2027 08:00:00 GMT", "0"])
def test_a_date_that_is_none_is_no_skew(date: str) -> None:
    assert clock_skew(date, AT) is None


def test_the_skew_is_the_difference_to_the_middle_of_the_second() -> None:
    assert clock_skew(DATE, AT + 10.5) == 10.0


async def test_the_client_has_the_date_of_the_last_response(tmp_path: Path) -> None:
    from aiohttp import web  # noqa: PLC0415

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "shop"}}, headers={"Date": DATE})

    async with scripted_api(tmp_path) as api, client_of(api) as client:
        assert client.server_date == ""
        api.then(answer)
        await client.get(NAMESPACES, "shop")
        assert client.server_date == DATE


def hooks(*bundles: Any) -> JsonObject:
    entries = [{"name": "x", "clientConfig": {"caBundle": one}} for one in bundles]
    return {"metadata": {"name": "netplane"}, "webhooks": entries}


async def test_the_authorities_of_the_configuration_are_read_once_each() -> None:
    pem = make_root(current()).certificate.pem
    text = b64encode(pem).decode()
    kube = FakeKube((MUTATING_HOOKS, hooks(text, text)))
    assert await read_authorities(kube) == (pem,)
    (seen,) = authorities(pem)
    assert not list(judge_certificates([seen], current()))


@pytest.mark.parametrize("bundle", [None, "", 7, "%%%", b64encode(b"no certificate").decode()])
async def test_a_configuration_without_usable_bundle_is_not_checked(bundle: Any) -> None:
    kube = FakeKube((MUTATING_HOOKS, hooks(bundle)))
    with pytest.raises(CannotCheck, match="no usable caBundle"):
        list(authorities((await read_authorities(kube))[0]))


def seen(begins: float, ends: float, fault: str = "") -> Iterable[SeenCertificate]:
    """Yield a certificate that is valid between these days from now."""
    now = datetime.now(UTC)
    yield SeenCertificate(
        "the certificate", now + timedelta(days=begins), now + timedelta(days=ends), fault
    )


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [(-1, 80, []), (-90, 3, ["warning"]), (-90, -1, ["error"]), (1, 90, ["error"])],
)
def test_a_certificate_that_is_over_or_ends_soon_is_found(
    begins: float, ends: float, expected: list[str]
) -> None:
    found = judge_certificates(seen(begins, ends), datetime.now(UTC))
    assert [one.severity for one in found] == expected


@pytest.mark.parametrize(
    ("ends", "text"), [(0.5, "less than a day"), (1.5, "1 day"), (2.5, "2 days")]
)
def test_the_days_that_a_certificate_has_are_counted(ends: float, text: str) -> None:
    found = only(judge_certificates(seen(-90, ends), datetime.now(UTC)))
    assert found.what == f"the certificate ends in {text}"


def test_a_certificate_that_is_not_trusted_is_found() -> None:
    found = only(judge_certificates(seen(-1, 80, "self-signed certificate"), datetime.now(UTC)))
    assert "is not trusted: self-signed certificate" in found.what


async def test_what_a_listener_serves_is_read_and_verified(tmp_path: Path) -> None:
    import asyncio  # noqa: PLC0415

    other = make_root(current()).certificate.pem
    async with scripted_api(tmp_path) as api:
        trusted = api.root.certificate.pem
        for pem, is_trusted in ((trusted, True), (b"", True), (other, False)):
            found = await asyncio.to_thread(served, "127.0.0.1", api.port, pem)
            assert (found.fault == "") is is_trusted
            assert not found.what.startswith("a CA")


def test_a_port_that_nobody_listens_on_is_not_checked() -> None:
    with pytest.raises(CannotCheck, match="shows no certificate"):
        served("127.0.0.1", 1, b"")
