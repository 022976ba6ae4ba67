"""Every state of the protocol that a bounded number of losses, kills and programs can reach."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from tests.kube.addresses.lending_model import (
    LOST,
    REFUSED,
    Block,
    Budget,
    Known,
    Node,
    Program,
    Protocol,
    State,
    Task,
)

Text = tuple[Any, ...]
"""What happens in a step."""


def begin(budget: Budget, *, is_taken: bool = True) -> State:
    """Return the first state: nothing is taken, or node 0 has taken the block and is ready."""
    state = State(None, None, 0, 0, (Node(), Node()), (), budget)
    if not is_taken:
        return state
    owner = Node(known=Known(1, withheld=False), record=(1, False))
    block = Block(0, (0, 0), lent=False, version=1, uid=1)
    return state._replace(block=block, writes=1, nodes=(owner, Node()))


def explore(protocol: Protocol, first: State, most: int = 1 << 22) -> tuple[int, str]:
    """Visit all states; return how many, and how two pods came to have x ("" where none did)."""
    came: dict[State, tuple[State | None, Text]] = {first: (None, ())}
    queue = deque([first])
    while queue and len(came) < most:
        state = queue.popleft()
        for text, after in _steps(protocol, state):
            if after in came:
                continue
            came[after] = (state, text)
            if sum(node.given + node.borrowed for node in after.nodes) > 1:
                return len(came), _story(came, after)
            queue.append(after)
    return len(came), ""


def _story(came: dict[State, tuple[State | None, Text]], state: State) -> str:
    lines = []
    last: State | None = state
    while last is not None:
        last, text = came[last]
        lines.append(" ".join(map(str, text)))
    return "\n".join(reversed(lines))


def _steps(protocol: Protocol, state: State) -> Iterator[tuple[Text, State]]:
    for index, request in enumerate(state.strays):
        rest = state.strays[:index] + state.strays[index + 1 :]
        yield ("late", request), _carried_out(state._replace(strays=rest), request)[0]
    for me, node in enumerate(state.nodes):
        for slot in ("own", "other"):
            task = getattr(node, slot)
            if task is not None:
                yield from _go_on(protocol, state, me, slot, task)
        yield from _events(protocol, state, me, node)


def _go_on(
    protocol: Protocol, state: State, me: int, slot: str, task: Task
) -> Iterator[tuple[Text, State]]:
    if task.reply is None and task.request is not None:
        after, reply = _carried_out(state, task.request)
        yield (
            (me, task.name, task.request, "is carried out:", reply),
            _with(after, me, **{slot: task._replace(reply=(reply,))}),
        )
    if task.reply is not None:
        got = task._replace(got=(*task.got, task.reply[0]), request=None, reply=None)
        yield (me, task.name, "gets its answer"), _advance(protocol, state, me, slot, got)
    if state.budget.losses:
        budget = state.budget._replace(losses=state.budget.losses - 1)
        got = task._replace(got=(*task.got, LOST), request=None, reply=None)
        after = _strayed(state._replace(budget=budget), task)
        yield (me, task.name, "gets no answer"), _advance(protocol, after, me, slot, got)


def _events(protocol: Protocol, state: State, me: int, node: Node) -> Iterator[tuple[Text, State]]:
    known = node.known
    if known is not None and not known.withheld and not node.given:
        yield (me, "hands x out"), _with(state, me, given=True)
    if node.given:
        yield (me, "the pod with x ends"), _with(state, me, given=False)
    if node.borrowed:
        yield (me, "the pod that borrows x ends"), _with(state, me, borrowed=False)
    if state.budget.kills:
        yield from _kills(state, me, node)
    if not state.budget.programs:
        return
    budget = state.budget._replace(programs=state.budget.programs - 1)
    for slot, name in _possible(node):
        if name not in protocol.only:
            continue
        task = Task(name, node.start)
        after = _advance(protocol, state._replace(budget=budget), me, slot, task)
        yield (me, "begins to", name), after


def _possible(node: Node) -> Iterator[tuple[str, str]]:
    if node.own is None:
        if node.known is None:
            yield from (("own", "take"), ("own", "load"))
        elif node.known.withheld:
            yield from (("own", "give again"), ("own", "return"))
        elif not node.given:
            yield from (("own", "lend"), ("own", "return"))
    if node.other is None and not node.borrowed and not node.given:
        yield "other", "borrow"
        if node.noted:
            yield "other", "release"


def _kills(state: State, me: int, node: Node) -> Iterator[tuple[Text, State]]:
    budget = state.budget._replace(kills=state.budget.kills - 1)
    after = state._replace(budget=budget)
    for task in (node.own, node.other):
        if task is not None:
            after = _strayed(after, task)
    again = {"start": node.start + 1, "known": None, "own": None, "other": None}
    yield (me, "the daemon is killed"), _with(after, me, **again)
    anew = Node(start=node.start + 1)
    yield (me, "the machine is set up anew"), after._replace(nodes=_put(after, me, anew))


def _advance(protocol: Protocol, state: State, me: int, slot: str, task: Task) -> State:
    """Let a program go on to its next request, or to its end."""
    running = protocol.program(task.name, me, task.start)
    asked = next(running, None)
    for got in task.got:
        asked = _send(running, got)
    while asked is not None and asked[0] in {"set", "look", "withhold"}:
        answer: Any = None
        node = state.nodes[me]
        if asked[0] == "set":
            state = _with(state, me, **asked[1])
        elif asked[0] == "look":
            answer = getattr(node, asked[1])
        elif node.known is not None:
            # Under the plane's lock: the files are looked at and memory is changed in one step.
            if node.given:
                return _with(state, me, **{slot: None})
            state = _with(state, me, known=node.known._replace(withheld=True))
        task = task._replace(got=(*task.got, answer))
        asked = _send(running, answer)
    return _with(state, me, **{slot: None if asked is None else task._replace(request=asked)})


def _send(running: Program, got: Any) -> tuple[Any, ...] | None:
    try:
        return running.send(got)
    except StopIteration:
        return None


def _carried_out(state: State, request: tuple[Any, ...]) -> tuple[State, Any]:
    """Return what the API server makes of a request, and its answer."""
    block, writes, answer = state.block, state.writes + 1, REFUSED
    match request:
        case ("get",):
            return state, block
        case ("read",):
            return state, (state.holder, state.ledger)
        case ("create", owner, instance) if block is None:
            made = Block(owner, instance, lent=False, version=writes, uid=writes)
            return state._replace(block=made, writes=writes), made
        case ("put", new) if block is not None and block.version == new.version:
            new = new._replace(version=writes)
            return state._replace(block=new, writes=writes), new
        case ("delete", uid, version) if (
            block is not None and block.uid == uid and version in (None, block.version)
        ):
            state, answer = state._replace(block=None), "done"
        case ("swap", version, holder) if state.ledger == version:
            state, answer = state._replace(holder=holder, ledger=writes, writes=writes), "done"
    return state, answer


def _strayed(state: State, task: Task) -> State:
    """Return the state in which a request is on its way and nobody waits for its answer."""
    if task.request is None or task.reply is not None or task.request[0] in {"get", "read"}:
        return state
    return state._replace(strays=tuple(sorted((*state.strays, task.request), key=repr)))


def _with(state: State, me: int, **changes: Any) -> State:
    return state._replace(nodes=_put(state, me, state.nodes[me]._replace(**changes)))


def _put(state: State, me: int, node: Node) -> tuple[Node, ...]:
    return (*state.nodes[:me], node, *state.nodes[me + 1 :])
