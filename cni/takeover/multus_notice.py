"""Report how each setting of Multus' file is followed, in the log and as an event of the node.

Invariant: every setting is reported, unknown ones too. The report has names, paths and namespaces,
never a configuration.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from cni.attaching.status_reports import StatusReporter
from cni.confdir.default_network import ConfDir
from cni.confdir.multus_settings import MultusSettings
from planes.model.errors import PlanesError
from planes.model.events import about_node, message_of
from planes.model.lines import first_few, printable
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, MULTUS_NAMESPACE
from planes.model.wire.multus_keys import (
    FOLLOWED,
    IDLE,
    NEEDED,
    NO_DAEMON_CONFIG,
    STANDARD,
    UNKNOWN,
)
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

REASON: Final = "MultusSettings"
_CHECK_SECONDS: Final = 10.0
_SHOWN: Final = 16  # names of a list


class MultusNotice:
    """Reports Multus' settings at start and whenever they change.

    Args:
        conf_dir: reads the file.
        reporter: writes the event.
        node: the name of this node.
        clock: for the pauses between two checks.
        globals_: `--global-namespaces` where `--namespace-isolation` is on, None where it is not.
    """

    def __init__(
        self,
        conf_dir: ConfDir,
        reporter: StatusReporter,
        node: str,
        clock: Clock,
        globals_: frozenset[str] | None = None,
    ) -> None:
        self._conf_dir = conf_dir
        self._reporter = reporter
        self._node = node
        self._clock = clock
        self._globals = globals_
        self._reported: MultusSettings | None = None

    async def run(self) -> None:
        """Check on a timer until cancelled."""
        while True:
            await self.check()
            await self._clock.sleep(_CHECK_SECONDS)

    async def check(self) -> None:
        """Read the file once, and report it if it has changed."""
        try:
            settings = await self._conf_dir.multus()
        except PlanesError:  # reported by the keeper of our own configuration
            return
        if settings is None or settings == self._reported:
            return
        self._reported = settings
        followed, left = list(_followed(settings)), [*self._isolation(settings), *_left(settings)]
        log = _log.warning if left else _log.info
        log(
            "settings of Multus' file",
            extra={
                "file": settings.file,
                "to_do": left,
                "followed": followed,
                "without_effect": list(_idle(settings)),
            },
        )
        text = event_text(settings.file, followed, left)
        self._reporter.queue([about_node(self._node, REASON, text, warns=bool(left))])

    def _isolation(self, settings: MultusSettings) -> Iterator[str]:
        """Yield what is to do for isolation: admission does not see the files of nodes."""
        if not settings.isolates:
            return
        names = ",".join(sorted(settings.global_namespaces)[:_SHOWN])
        if self._globals is None:
            yield (
                "namespaceIsolation: nodes enforce it, admission does not know it: set "
                f"NETPLANE_NAMESPACE_ISOLATION=true and NETPLANE_GLOBAL_NAMESPACES={names} for the "
                "webhook and the daemon"
            )
        elif self._globals != settings.global_namespaces:
            yield (
                f"globalNamespaces ({names}): not followed, for NETPLANE_NAMESPACE_ISOLATION is "
                "on: NETPLANE_GLOBAL_NAMESPACES counts"
            )


def event_text(file: str, followed: list[str], left: list[str]) -> str:
    """Return the event's message: what is to do comes first and in full."""
    names = ", ".join(one.partition(":")[0].partition(" ")[0] for one in followed)
    text = f"Multus' file {file}"
    if left:
        text += f": to do: {'; '.join(left)}"
    text += f"; followed: {names or 'nothing'}; netplane-cni's log on this node says how"
    return message_of(text)


def _followed(settings: MultusSettings) -> Iterator[str]:
    values = _values(settings)
    for key in settings.keys:
        folded = key.casefold()
        if folded in FOLLOWED and (folded not in values or values[folded]):
            value = values.get(folded, "")
            yield f"{key}{f' ({value})' if value else ''}: {FOLLOWED[folded]}"


def _left(settings: MultusSettings) -> Iterator[str]:
    if settings.fault:
        yield f"no pod is attached on this node: {settings.fault}"
    for key in settings.keys:
        folded = key.casefold()
        if folded in NEEDED:
            yield f"{key}: {NEEDED[folded]}"
        elif folded not in {*STANDARD, *FOLLOWED, *IDLE}:
            yield f"{_plain(key)}: {UNKNOWN}"
    if settings.namespace != MULTUS_NAMESPACE:
        yield (
            f"multusNamespace ({settings.namespace}): not followed for the annotation "
            f"{DEFAULT_NETWORK_ANNOTATION}: a name without namespace is looked for in "
            f"{MULTUS_NAMESPACE}, so write {settings.namespace}/NAME there"
        )
    if settings.lacks_daemon:
        yield NO_DAEMON_CONFIG


def _idle(settings: MultusSettings) -> Iterator[str]:
    for key in settings.keys:
        if why := IDLE.get(key.casefold()):
            yield f"{key}: {why}"


def _values(settings: MultusSettings) -> dict[str, str]:
    """Return the values of settings that may be present but empty, by case-folded name."""
    delegates = _listed(tuple(one.name for one in settings.delegates))
    return {
        "namespaceisolation": "true" if settings.isolates else "",
        "globalnamespaces": _listed(sorted(settings.global_namespaces)),
        "delegates": f"more: {delegates}" if delegates else "one",
        "defaultnetworks": _listed(settings.networks),
        "systemnamespaces": _listed(sorted(settings.system_namespaces)),
        "multusnamespace": settings.namespace,
        "confdir": settings.conf_dir,
        "bindir": settings.bin_dir,
        "cnidir": settings.cache_dir,
        "readinessindicatorfile": settings.readiness_file,
    }


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return first_few(names, _SHOWN)


def _plain(key: str) -> str:
    return printable(key[:64])
