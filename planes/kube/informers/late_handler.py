"""A handler that is added to a running watch: it gets a list of its own, then the watch's changes.

Its list and the watch run at the same time, and may have different states of one object. Invariant:
the handler gets the states of each object in the order of their versions, and in the end it has
what the API server has.

Only keys and versions of objects are kept, and only until the watch has come as far as the list.
Versions are compared as numbers, as the API server's watch cache does; where one is no number, the
handler may get an older state for a moment, which the watch then corrects.
"""

from __future__ import annotations

from enum import Enum, auto

from planes.kube.informers.cache import ObjectKey, key_of, version_number, version_of
from planes.kube.informers.handler import EventHandler
from planes.model.errors import JsonObject


class _Stage(Enum):
    WAITING = auto()  # for its list to begin
    LISTING = auto()  # its own list runs
    CATCHING_UP = auto()  # the watch may still have changes that the list had
    JOINED = auto()  # it gets the same calls as all others


class LateHandler:
    """Implements `EventHandler` around a handler that was added late.

    Args:
        handler: the handler itself.
        namespace: restricts it to the objects of one namespace; "" for all.
    """

    def __init__(self, handler: EventHandler, namespace: str = "") -> None:
        self._handler = handler
        self._namespace = namespace
        self._stage = _Stage.WAITING
        self._versions: dict[ObjectKey, int] = {}
        self._earlier: dict[ObjectKey, int] = {}  # versions of lists of its own that broke off
        self._deleted: dict[ObjectKey, JsonObject] = {}
        self._listed_version = 0
        self._is_relisted = False

    @property
    def needs_list(self) -> bool:
        """Whether neither its own list is complete, nor the watch has begun a listing."""
        return self._stage in {_Stage.WAITING, _Stage.LISTING}

    # Called for its own list.

    def begin_list(self) -> None:
        """Its own list starts, maybe over."""
        self._stage = _Stage.LISTING
        self._earlier |= self._versions
        self._versions.clear()
        self._deleted.clear()
        self._handler.begin()

    def put_listed(self, obj: JsonObject) -> None:
        """Its own list has an object."""
        if self._stage is not _Stage.LISTING:  # the watch began a listing meanwhile
            return
        key = key_of(obj)
        if key not in self._versions or version_of(obj) > self._versions[key]:
            self._put(key, obj)

    def finish_list(self, version: str) -> None:
        """Its own list is complete, as of a version."""
        if self._stage is not _Stage.LISTING:
            return
        self._listed_version = version_number(version)
        self._stage = _Stage.CATCHING_UP if self._listed_version else _Stage.JOINED
        self._earlier.clear()
        self._handler.finish()
        for obj in self._deleted.values():
            self._handler.drop(obj)
        self._deleted.clear()

    # Called for the watch, as all other handlers are.

    def begin(self) -> None:
        """The watch lists everything anew, which replaces a list of its own."""
        self._join()
        self._is_relisted = True
        self._handler.begin()

    def put(self, obj: JsonObject) -> None:
        """An object is there, or has changed."""
        if self._is_news(obj):
            self._put(key_of(obj), obj)

    def drop(self, obj: JsonObject) -> None:
        """An object is gone."""
        if not self._is_news(obj):
            return
        key = key_of(obj)
        if self._stage is not _Stage.LISTING:
            self._handler.drop(obj)
        elif key in self._versions:
            # Nothing is dropped during a listing; the list may still have the object.
            self._deleted[key] = {"metadata": dict(zip(key._fields, key, strict=True))}
        if self._stage is not _Stage.JOINED:
            self._versions[key] = version_of(obj)

    def finish(self) -> None:
        """The listing of the watch is complete."""
        if self._is_relisted:  # else it had begun before this handler was added
            self._is_relisted = False
            self._handler.finish()

    def _put(self, key: ObjectKey, obj: JsonObject) -> None:
        if self._stage is not _Stage.JOINED:
            self._versions[key] = version_of(obj)
            self._deleted.pop(key, None)
        self._handler.put(obj)

    def _is_news(self, obj: JsonObject) -> bool:
        """Report whether a change of the watch is to be passed on to the handler."""
        key = key_of(obj)
        if self._namespace and key.namespace != self._namespace:
            return False
        if self._stage in {_Stage.WAITING, _Stage.JOINED}:
            return self._stage is _Stage.JOINED
        version = version_of(obj)
        if self._stage is _Stage.LISTING:
            known = max(self._versions.get(key, 0), self._earlier.get(key, 0))
            return not version or version > known
        if version > self._listed_version:
            self._join()
            return True
        # The list had this change, unless only the watch had the object.
        return not version or version > self._versions.get(key, self._listed_version)

    def _join(self) -> None:
        self._stage = _Stage.JOINED
        self._versions.clear()
        self._earlier.clear()
        self._deleted.clear()
