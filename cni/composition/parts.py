"""All collaborators of the daemon, for the daemon itself and for `forget` and `uninstall`."""

from __future__ import annotations

from dataclasses import dataclass

from cni.composition.attaching import AttachingParts, make_attaching
from cni.composition.confdir import ConfDirParts, make_confdir
from cni.composition.plugins import PluginParts, make_plugins
from cni.composition.reconcile import ReconcileParts, make_orphans, make_reconcile
from cni.composition.shared import Shared, make_shared
from cni.composition.verbs import VerbParts, make_verbs
from cni.environment import Environment
from cni.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The collaborators, by the room that makes them."""

    shared: Shared
    plugins: PluginParts
    confdir: ConfDirParts
    attaching: AttachingParts
    verbs: VerbParts
    reconcile: ReconcileParts


def compose(settings: Settings, environment: Environment) -> Parts:
    """Make all collaborators; nothing runs, and no file is opened yet."""
    shared = make_shared(settings, environment)
    plugins = make_plugins(shared)
    confdir = make_confdir(shared)
    attaching = make_attaching(shared, plugins)
    orphans = make_orphans(shared, attaching.teardown)
    verbs = make_verbs(shared, plugins, confdir, attaching, orphans)
    reconcile = make_reconcile(shared, attaching.teardown, orphans, verbs.runtime)
    return Parts(shared, plugins, confdir, attaching, verbs, reconcile)
