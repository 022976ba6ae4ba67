"""What the demo has proven, what it skipped and why, and what failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from planes.cli.screen import Screen


@dataclass(slots=True)
class Verdict:
    """Collects facts while the acts play.

    Attributes:
        screen: each fact is shown as it becomes known.
    """

    screen: Screen
    proven: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def prove(self, fact: str, *, holds: bool, seen: str = "") -> None:
        """Record a fact that was looked at; `seen` says what was there instead."""
        if holds:
            self.proven.append(fact)
            self.screen.say(f"  ✓ {fact}", "green")
            return
        self.failed.append(f"{fact}: {seen}" if seen else fact)
        self.screen.say(f"  ✗ {self.failed[-1]}", "red")

    def skip(self, what: str, why: str) -> None:
        """Record what could not be shown here."""
        self.skipped.append(f"{what}: {why}")
        self.screen.say(f"  - skipped: {self.skipped[-1]}", "yellow")

    def as_json(self) -> dict[str, Any]:
        """Give the record for `--output json`."""
        return {"proven": self.proven, "skipped": self.skipped, "failed": self.failed}

    def conclude(self, seconds: float) -> int:
        """Say the last lines; gives the exit status."""
        say = self.screen.say
        say("")
        say(f"Proven, in {seconds:.0f} s:", "bold")
        for fact in self.proven:
            say(f"  ✓ {fact}", "green")
        if self.skipped:
            say("Skipped:", "bold")
            for line in self.skipped:
                say(f"  - {line}", "yellow")
        if self.failed:
            say("Failed:", "bold")
            for line in self.failed:
                say(f"  ✗ {line}", "red")
        self.screen.give(self.as_json())
        return 1 if self.failed else 0
