"""The report of the demo: what was proven, skipped with its reason, and failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from planes.cli.console import Console


@dataclass(slots=True)
class DemoReport:
    """Collects the outcome of checks.

    Attributes:
        console: each outcome is printed at once.
    """

    console: Console
    proven: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def check(self, fact: str, *, holds: bool, seen: str = "") -> None:
        """Record a fact that was checked; `seen` is what was found instead."""
        if holds:
            self.proven.append(fact)
            self.console.line(f"  ✓ {fact}", "green")
            return
        self.failed.append(f"{fact}: {seen}" if seen else fact)
        self.console.line(f"  ✗ {self.failed[-1]}", "red")

    def skip(self, what: str, why: str) -> None:
        """Record what could not be checked here."""
        self.skipped.append(f"{what}: {why}")
        self.console.line(f"  - skipped: {self.skipped[-1]}", "yellow")

    def as_json(self) -> dict[str, Any]:
        """Return the report for `--output json`."""
        return {"proven": self.proven, "skipped": self.skipped, "failed": self.failed}

    def finish(self, seconds: float) -> int:
        """Print the summary and return the exit status."""
        print_line = self.console.line
        print_line("")
        print_line(f"Proven, in {seconds:.0f} s:", "bold")
        for fact in self.proven:
            print_line(f"  ✓ {fact}", "green")
        if self.skipped:
            print_line("Skipped:", "bold")
            for line in self.skipped:
                print_line(f"  - {line}", "yellow")
        if self.failed:
            print_line("Failed:", "bold")
            for line in self.failed:
                print_line(f"  ✗ {line}", "red")
        self.console.document(self.as_json())
        return 1 if self.failed else 0
