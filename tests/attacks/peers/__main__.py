"""A process of attackers, apart from whoever measures.

usage: python -m tests.attacks.peers PORT [--authority CA.crt] NAME …

Attacks admission's port, or without an authority a metrics port, until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import ssl

from tests.attacks.peers.attacks import ATTACKS, ON_METRICS, Target, carry_out


async def main(port: int, authority: str | None, names: list[str]) -> None:
    """Carry the named attacks out at once."""
    known = ATTACKS if authority is not None else ON_METRICS
    context = None
    if authority is not None:
        context = ssl.create_default_context(cafile=authority)
        context.check_hostname = False
    target = Target(port, context)
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(carry_out(target, known[name]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.peers")
    parser.add_argument("port", type=int)
    parser.add_argument("--authority")
    parser.add_argument("names", nargs="+")
    given = parser.parse_args()
    logging.disable()  # connections that end are what the attacks are about
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(given.port, given.authority, given.names))
