"""The protocol by which nodes lend, borrow, take back and return addresses, as a state machine.

One address `x` in one block, two nodes that run the same programs, and an API server. A request is
carried out at any time after it was sent, also after its node gave it up or was killed; an answer
may be lost. A program is a generator: it yields one request or one change of its node at a time.
`lending_exploration` visits every state that they can reach.

It is the specification of `planes.kube.addresses`: a change there begins here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

LOST: Final = "lost"
"""Instead of an answer: the request was or was not carried out, or will be."""
REFUSED: Final = "refused"
"""Answer: somebody else was faster, or the object is gone."""

GUARDS: Final = frozenset(
    {
        "instance",  # a start writes its name into the block before it hands out of it
        "withhold first",  # the owner hands x out no more before it asks to lend or delete
        "confirm",  # it hands x out again only after a write of its own was confirmed
        "record",  # what is taken back is noted on disk first
        "look",  # and given only after the ledger was read
        "version",  # a block is deleted in exactly the version that was read
        "check",  # a borrower reads the block after it was written as holder
        "read held",  # a new owner reads the ledger after it created the block
        "write anew",  # a claim writes its entry also where it finds it: a late release fails
    }
)
PROGRAMS: Final = frozenset({"take", "load", "lend", "give again", "return", "borrow", "release"})


class Block(NamedTuple):
    """The IPBlock of use Node that has x."""

    owner: int
    instance: tuple[int, int]
    lent: bool
    version: int
    uid: int


class Known(NamedTuple):
    """What a daemon has in memory of its block."""

    uid: int
    withheld: bool


class Task(NamedTuple):
    """A program that runs: its name, what it got so far, and the request that is on its way."""

    name: str
    start: int
    got: tuple[Any, ...] = ()
    request: tuple[Any, ...] | None = None
    reply: tuple[Any, ...] | None = None


class Node(NamedTuple):
    """A machine.

    Attributes:
        known: memory of the daemon; lost with it.
        own: the program that writes the block.
        other: the program that writes the ledger.
        given: a pod has x from the block; on disk.
        borrowed: a pod has x by the ledger; on disk.
        noted: the ledger may name this node; on disk.
        record: UID of the block, and whether x may be held there by others; on disk.
    """

    start: int = 0
    known: Known | None = None
    own: Task | None = None
    other: Task | None = None
    given: bool = False
    borrowed: bool = False
    noted: bool = False
    record: tuple[int, bool] | None = None


class Budget(NamedTuple):
    """What may still happen."""

    programs: int
    losses: int
    kills: int


class State(NamedTuple):
    """Everything."""

    block: Block | None
    holder: int | None
    ledger: int
    writes: int
    nodes: tuple[Node, ...]
    strays: tuple[tuple[Any, ...], ...]
    budget: Budget


Program = Generator[tuple[Any, ...], Any, None]


class Protocol:
    """The programs of a node, with all guards or without some.

    Args:
        without: a guard that is left out.
        only: the programs that nodes begin.
    """

    def __init__(self, without: str = "", only: frozenset[str] = PROGRAMS) -> None:
        self._guards = GUARDS - {without}
        self.only = only

    def program(self, name: str, me: int, start: int) -> Program:
        """Return a program from its beginning."""
        programs: dict[str, Callable[[int, int], Program]] = {
            "take": self._take,
            "load": self._load,
            "lend": self._lend,
            "give again": self._give_again,
            "return": self._return,
            "borrow": self._borrow,
            "release": self._release,
        }
        return programs[name](me, start)

    def _take(self, me: int, start: int) -> Program:
        made = yield ("create", me, (me, start))
        if made not in (LOST, REFUSED):
            yield from self._adopt(made)

    def _load(self, me: int, start: int) -> Program:
        block = yield ("get",)
        if block == LOST or block is None or block.owner != me:
            return
        if "instance" in self._guards:
            block = yield ("put", block._replace(instance=(me, start)))
        if block not in (LOST, REFUSED):
            yield from self._adopt(block)

    def _adopt(self, block: Block) -> Program:
        """Use a block: x is left out where it is lent, or held since before the block was."""
        found = yield ("read",)
        if found == LOST:
            return
        is_held = found[0] is not None and "read held" in self._guards
        record = yield ("look", "record")
        is_kept = is_held and (record is None or record[0] != block.uid or record[1])
        yield ("set", {"record": (block.uid, is_kept)})
        yield ("set", {"known": Known(block.uid, block.lent or is_kept)})

    def _lend(self, me: int, start: int) -> Program:
        yield from self._withhold()
        block = yield ("get",)
        if not self._is_ours(block, me, start):
            return
        done = yield ("put", block._replace(lent=True))
        if done not in (LOST, REFUSED):
            yield from self._withhold(is_late=True)

    def _withhold(self, *, is_late: bool = False) -> Program:
        if is_late != ("withhold first" in self._guards):
            yield ("withhold",)

    def _give_again(self, me: int, start: int) -> Program:
        """Hand x out again, whatever became of earlier requests."""
        block = yield ("get",)
        if not self._is_ours(block, me, start):
            if block is None:
                yield ("set", {"known": None})
            return
        if "record" in self._guards:
            yield ("set", {"record": (block.uid, True)})
        done = yield ("put", block._replace(lent=False))
        if done in (LOST, REFUSED) and "confirm" in self._guards:
            return
        if "look" in self._guards:
            found = yield ("read",)
            if found == LOST or found[0] is not None:
                return
        yield ("set", {"record": (block.uid, False)})
        yield ("set", {"known": Known(block.uid, withheld=False)})

    def _return(self, me: int, start: int) -> Program:
        yield from self._withhold()
        block = yield ("get",)
        if block is None:
            yield ("set", {"known": None})
        if not self._is_ours(block, me, start):
            return
        version = block.version if "version" in self._guards else None
        done = yield ("delete", block.uid, version)
        if done not in (LOST, REFUSED):
            yield ("set", {"known": None})

    def _borrow(self, me: int, _start: int) -> Program:
        yield ("set", {"noted": True})
        found = yield ("read",)
        if found == LOST or found[0] not in (None, me):
            return
        is_written = found[0] is not None and "write anew" not in self._guards
        if not is_written and (yield ("swap", found[1], me)) in (LOST, REFUSED):
            return
        if "check" in self._guards:
            block = yield ("get",)
            if block == LOST or not (block is None or block.lent):
                return
        yield ("set", {"borrowed": True})

    def _release(self, me: int, _start: int) -> Program:
        found = yield ("read",)
        if found == LOST:
            return
        if found[0] == me and (yield ("swap", found[1], None)) in (LOST, REFUSED):
            return
        yield ("set", {"noted": False})

    def _is_ours(self, block: Any, me: int, start: int) -> bool:
        if block in (LOST, None) or block.owner != me:
            return False
        return "instance" not in self._guards or block.instance == (me, start)
