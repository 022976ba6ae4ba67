"""A shim that answers what a test scripts: a real program, called as the real one is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import json, os, pathlib, sys, time
home = pathlib.Path({home!r})
env = {{key: value for key, value in os.environ.items() if key.startswith(("CNI_", "NETPLANE_"))}}
call = {{"env": env, "conf": json.load(sys.stdin), "netns": os.path.exists(env["CNI_NETNS"])}}
pods = pathlib.Path({pods!r})
call["pods"] = sorted(path.name for path in pods.glob("*")) if pods.is_dir() else []
with (home / "calls").open("a") as log:
    log.write(json.dumps(call) + "\\n")
answer = json.loads((home / (env["CNI_COMMAND"] + ".json")).read_text())
time.sleep(answer.get("seconds", 0))
sys.stdout.write(answer["stdout"])
sys.stderr.write(answer.get("stderr", ""))
sys.exit(answer["status"])
"""


class ScriptedShim:
    """The program at `path`; ADD and DEL succeed until `answer` says otherwise."""

    def __init__(self, home: Path, manifests: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self.path = home / "shim"
        pods = str(manifests / "pods")
        text = _PROGRAM.format(python=sys.executable, home=str(home), pods=pods)
        self.path.write_text(text)
        self.path.chmod(0o755)
        self.answer("ADD", {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/24"}]})
        self.answer("DEL", "")

    def answer(self, verb: str, stdout: Any, status: int = 0, **more: Any) -> None:
        """Script what a verb prints and how it exits; `stderr` and `seconds` are optional."""
        text = stdout if isinstance(stdout, str) else json.dumps(stdout)
        answer = {"stdout": text, "status": status, **more}
        (self._home / f"{verb}.json").write_text(json.dumps(answer))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Every call so far: CNI variables, netconf, whether the netns was there, pod files."""
        log = self._home / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def verbs(self) -> list[str]:
        """The verbs called so far."""
        return [call["env"]["CNI_COMMAND"] for call in self.calls]
