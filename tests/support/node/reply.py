"""What came of a call of the shim, and what every error owes its reader."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a call of the shim: its status, output and seconds."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def result(self) -> JsonObject:
        """The result of a call that succeeded."""
        assert self.status == 0, self.stdout.decode() + self.stderr.decode()
        parsed: JsonObject = json.loads(self.stdout)
        return parsed

    @property
    def error(self) -> JsonObject:
        """The error of a call that failed, after checking what every error owes its reader."""
        assert self.status == 1, (self.status, self.stdout)
        error: JsonObject = json.loads(self.stdout)
        assert error.keys() <= {"cniVersion", "code", "msg", "details"}
        assert error["msg"].startswith("cannot "), error
        assert "Traceback" not in self.stdout.decode() + self.stderr.decode()
        return error
