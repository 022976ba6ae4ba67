"""The rotation policy: each rule once, and its invariant under any order of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from certs.policy import (
    CertificateFacts,
    CreateRoot,
    DropOldRoot,
    Idle,
    IssueServing,
    RenewalSettings,
    RootFacts,
    ServingFacts,
    Step,
    TrustBoth,
    WaitServed,
    WaitTrusted,
    decide,
)

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = frozenset({"localhost"})
SETTINGS = RenewalSettings(NAMES)


def root(name: str, made: datetime = NOW, *, can_sign: bool = True) -> RootFacts:
    return RootFacts(name, made, made + 365 * DAY, can_sign)


def serving(name: str, signer: str, made: datetime = NOW) -> ServingFacts:
    return ServingFacts(name, signer, made, made + 90 * DAY, NAMES)


def settled(*roots: str) -> dict[str, datetime]:
    return dict.fromkeys(roots, NOW - DAY)


def test_nothing_there_makes_a_root() -> None:
    assert decide(NOW, CertificateFacts(), SETTINGS) == CreateRoot()


def test_what_others_manage_is_left_alone() -> None:
    step = decide(NOW, CertificateFacts(is_ours=False), SETTINGS)
    assert step == Idle(NOW + SETTINGS.look_again)


def test_a_new_root_is_trusted_beside_the_old_one_before_anything_else() -> None:
    facts = CertificateFacts(
        roots=(root("a"), root("b")), trusted=settled("a"), serving=serving("s", "a")
    )
    assert decide(NOW, facts, SETTINGS) == TrustBoth(("a", "b"))


def test_a_new_root_waits_until_trust_has_spread() -> None:
    trusted = {**settled("a"), "b": NOW}
    facts = CertificateFacts(
        roots=(root("a"), root("b")), trusted=trusted, serving=serving("s", "a")
    )
    assert decide(NOW, facts, SETTINGS) == WaitTrusted(NOW + SETTINGS.spread)


def test_without_a_usable_certificate_nobody_waits() -> None:
    facts = CertificateFacts(roots=(root("a"),), trusted={"a": NOW})
    assert decide(NOW, facts, SETTINGS) == IssueServing("a")


def test_while_replicas_show_something_a_new_root_waits_though_what_we_keep_is_broken() -> None:
    facts = CertificateFacts(roots=(root("a"),), trusted={"a": NOW}, served=frozenset({"s", ""}))
    assert decide(NOW, facts, SETTINGS) == WaitTrusted(NOW + SETTINGS.spread)


def test_a_replica_that_shows_nothing_makes_nobody_wait_for_trust() -> None:
    facts = CertificateFacts(roots=(root("a"),), trusted={"a": NOW}, served=frozenset({""}))
    assert decide(NOW, facts, SETTINGS) == IssueServing("a")


def test_the_root_behind_what_is_shown_signs_at_once() -> None:
    facts = CertificateFacts(
        roots=(root("a"), root("b")),
        trusted={"a": NOW, "b": NOW},
        served=frozenset({"s"}),
        used=frozenset({"a"}),
    )
    assert decide(NOW, facts, SETTINGS) == IssueServing("a")


def test_a_settled_new_root_signs() -> None:
    facts = CertificateFacts(
        roots=(root("a"), root("b")), trusted=settled("a", "b"), serving=serving("s", "a")
    )
    assert decide(NOW, facts, SETTINGS) == IssueServing("b")


def test_a_certificate_due_while_a_new_root_waits_is_signed_by_the_old_one() -> None:
    later = NOW + 61 * DAY
    facts = CertificateFacts(
        roots=(root("a"), root("b")),
        trusted={**settled("a"), "b": later},
        serving=serving("s", "a"),
    )
    assert decide(later, facts, SETTINGS) == IssueServing("a")


def test_other_names_ask_for_another_certificate() -> None:
    facts = CertificateFacts(roots=(root("a"),), trusted=settled("a"), serving=serving("s", "a"))
    assert decide(NOW, facts, RenewalSettings(NAMES | {"more"})) == IssueServing("a")


def test_the_old_root_stays_until_every_replica_serves_the_new_certificate() -> None:
    facts = CertificateFacts(
        roots=(root("a"), root("b")),
        trusted=settled("a", "b"),
        serving=serving("t", "b"),
        served=frozenset({"s", "t"}),
    )
    assert isinstance(decide(NOW, facts, SETTINGS), WaitServed)


def test_the_old_root_goes_when_nobody_serves_what_it_signed() -> None:
    facts = CertificateFacts(
        roots=(root("a"), root("b")),
        trusted=settled("a", "b"),
        serving=serving("t", "b"),
        served=frozenset({"t"}),
    )
    assert decide(NOW, facts, SETTINGS) == DropOldRoot(("b",))


def test_a_root_that_lingers_in_some_verifier_is_dropped_there_too() -> None:
    facts = CertificateFacts(
        roots=(root("b"),),
        trusted=settled("b"),
        serving=serving("t", "b"),
        served=frozenset({"t"}),
        lingering=frozenset({"a"}),
    )
    assert decide(NOW, facts, SETTINGS) == DropOldRoot(("b",))


def test_idle_lasts_until_the_earlier_renewal() -> None:
    facts = CertificateFacts(
        roots=(root("a"),),
        trusted=settled("a"),
        serving=serving("s", "a"),
        served=frozenset({"s"}),
    )
    assert decide(NOW, facts, SETTINGS) == Idle(NOW + 60 * DAY)


def test_a_root_whose_key_is_lost_is_succeeded() -> None:
    facts = CertificateFacts(roots=(root("a", can_sign=False),), trusted=settled("a"))
    assert decide(NOW, facts, SETTINGS) == CreateRoot()


@dataclass
class Simulation:
    """CA bundles and replicas that see a change late, as on a cluster."""

    now: datetime = NOW
    made: int = 0
    roots: list[RootFacts] = field(default_factory=list)
    published: frozenset[str] = frozenset()
    seen: dict[str, datetime] = field(default_factory=dict)
    verifiers: list[frozenset[str]] = field(default_factory=lambda: [frozenset()] * 2)
    kept: ServingFacts | None = None
    replicas: list[ServingFacts | None] = field(default_factory=lambda: [None, None])

    def facts(self) -> CertificateFacts:
        return CertificateFacts(
            roots=tuple(self.roots),
            serving=self.kept,
            trusted=dict(self.seen),
            lingering=self.published - {each.id for each in self.roots},
            served=frozenset(each.id for each in self.replicas if each),
        )

    def act(self, step: Step) -> None:
        match step:
            case CreateRoot():
                self.made += 1
                self.roots.append(root(f"r{self.made}", self.now))
            case TrustBoth(roots):
                self.publish(frozenset(roots))
            case IssueServing(signer):
                self.made += 1
                self.kept = serving(f"s{self.made}", signer, self.now)
            case DropOldRoot(keep):
                self.roots = [each for each in self.roots if each.id in keep]
                self.publish(frozenset(keep))
            case _:
                pass

    def publish(self, roots: frozenset[str]) -> None:
        self.published = roots
        self.seen = {each: self.seen.get(each, self.now) for each in roots}

    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def learn(self) -> None:
        """Trust spreads within the time that the settings allow for it."""
        for index in range(len(self.verifiers)):
            self.verifiers[index] = self.published

    @property
    def is_served(self) -> bool:
        return any(each and self.now < each.not_after for each in self.replicas)

    def check(self) -> None:
        for shown in self.replicas:
            if shown is None or self.now >= shown.not_after:
                continue
            for verifier in self.verifiers:
                assert shown.root in verifier, (shown, self.verifiers)


# What may happen between two turns, and to whom.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["turn", "lost", "replica", "hours", "month"]),
        st.integers(0, 1),
    ),
    max_size=60,
)


@given(EVENTS)
def test_no_replica_ever_shows_a_chain_that_some_verifier_does_not_trust(
    events: list[tuple[str, int]],
) -> None:
    """Turns may be lost, replicas lag, months pass: the overlap holds."""
    simulation = Simulation()
    for event, which in events:
        match event:
            case "turn" | "lost":
                step = decide(simulation.now, simulation.facts(), SETTINGS)
                if event == "turn":
                    simulation.act(step)
                if isinstance(step, WaitTrusted):
                    simulation.learn()
                    simulation.pass_time(61)
                if isinstance(step, IssueServing) and not simulation.is_served:
                    simulation.learn()  # where nothing is served, nobody is made to wait
            case "replica":
                simulation.replicas[which] = simulation.kept
            case "hours":
                simulation.learn()
                simulation.pass_time(3600)
            case "month":
                simulation.learn()
                simulation.pass_time(30 * 86400)
            case _:
                pass
        assert len(simulation.roots) <= 4
        simulation.check()


@given(EVENTS)
def test_turns_alone_always_come_to_rest(events: list[tuple[str, int]]) -> None:
    """From wherever events lead, a dozen turns end idle with one root that signed what is shown."""
    simulation = Simulation()
    for event, _ in events:
        if event == "month":
            simulation.pass_time(30 * 86400)
        simulation.act(decide(simulation.now, simulation.facts(), SETTINGS))
    for _ in range(12):
        step = decide(simulation.now, simulation.facts(), SETTINGS)
        simulation.act(step)
        if isinstance(step, WaitTrusted):
            simulation.pass_time(61)
        simulation.replicas = [simulation.kept, simulation.kept]
    assert isinstance(decide(simulation.now, simulation.facts(), SETTINGS), Idle)
    assert simulation.kept is not None
    assert [each.id for each in simulation.roots] == [simulation.kept.root]


@given(st.builds(timedelta, days=st.integers(0, 800)))
def test_the_same_facts_give_the_same_step(shift: timedelta) -> None:
    facts = CertificateFacts(roots=(root("a"),), trusted=settled("a"), serving=serving("s", "a"))
    assert decide(NOW + shift, facts, SETTINGS) == decide(NOW + shift, facts, SETTINGS)
