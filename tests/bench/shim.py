"""Start to exit of the shim against a daemon that answers at once, beside /bin/true.

The stopwatch is a C program: an interpreter that spawns would measure itself.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench.processes import ROOT, running
from tests.bench.table import Goal, Row, SkippedError, published, side
from tests.support.node.shim import NETCONF, STRICT, Shim, compiler

GOAL = Goal("<= 1.5 ms", 1.5)
_BATCHES = 10
_CALLS = 100


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: no compiler, or the shim is not built.
    """
    cc = compiler()
    binary = ROOT / "build" / "netplane"
    if cc is None or not binary.is_file():
        raise SkippedError(
            "no C compiler" if cc is None else "build/netplane is missing: make setup"
        )
    for name in ("instant_server", "stopwatch"):
        source = ROOT / "tests" / "shim" / f"{name}.c"
        subprocess.run([cc, *STRICT, "-o", folder / name, source], check=True)
    shim = Shim(binary, folder)
    (folder / "netconf").write_bytes(NETCONF)
    server = [str(folder / "instant_server"), str(shim.socket)]
    ours: list[float] = []
    peer: list[float] = []
    with running(server, folder / "instant.log", shim.socket.exists):
        for _batch in range(max(2, round(_BATCHES * scale))):
            say(f"{len(ours)} calls")
            peer += _times(folder, Path("/bin/true"), {})
            ours += _times(folder, binary, shim.env("ADD", NETPLANE_WAIT_SECONDS="5"))
    yield Row(
        "shim, start to exit, instant daemon",
        side("netplane", "ms", ours, GOAL),
        (side("/bin/true", "ms", peer), published("multus-shim 4.2.4", "ms", 10.9)),
    )


def _times(folder: Path, program: Path, env: dict[str, str]) -> list[float]:
    done = subprocess.run(
        [folder / "stopwatch", str(_CALLS), folder / "netconf", program],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(line) / 1e3 for line in done.stdout.split()]
