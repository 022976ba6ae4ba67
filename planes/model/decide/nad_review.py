"""Review a NAD that is about to be written: whether it may be, before any pod uses it.

Pods are refused by the same checks (`planes.model.decide.access`), as a NAD may have been written
while no webhook ran.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from planes.model.decide.pool_check import pool_fault
from planes.model.decide.wire_review import review_supplies, review_wires_joined
from planes.model.errors import Finding
from planes.model.names import RESOURCE_NAME_ANNOTATION, is_dns_subdomain
from planes.model.objects import Nad, Namespace
from planes.model.state.catalog import Catalog
from planes.model.state.nad_facts import NadFacts, nad_facts
from planes.model.state.nad_guard import judge_nad
from planes.model.state.nad_lint import lint_nad

_RESOURCE: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class NadReview:
    """The outcome: a NAD with errors must not be written; warnings are for its author."""

    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def review_nad(
    nad: Nad, catalog: Catalog, old: Nad | None = None, *, namespace: Namespace | None = None
) -> NadReview:
    """Review a NAD that is about to be written.

    Args:
        nad: the NAD as it would be.
        catalog: the planes, and the policy of NADs.
        namespace: of the NAD, as last seen; None where it is not known.
        old: the NAD as it is; an update that does not change configuration and resource is not
            judged, so that an older NAD can still be labelled, owned and deleted.
    """
    if old is not None and _is_unchanged(nad, old):
        return NadReview()
    policy = catalog.nad_checks.policy
    found = judge_nad(nad, policy)
    facts = NadFacts() if found.faults else nad_facts(nad)
    space = namespace or Namespace(nad.namespace)
    about = nad.ref, facts, space, catalog
    taken, reached = list(review_supplies(*about)), list(review_wires_joined(*about))
    errors = [*_resource_faults(nad), *found.faults]
    hints = list(found.hints)
    pool = pool_fault(nad, facts, "spec.config.name", catalog)
    if pool is not None:
        errors.append(pool)
    if not policy.is_tenant(nad.namespace):
        # An administrator may write the NAD first, and then its plane.
        hints += [*taken, *reached, *found.unknown]
    elif policy.is_guarded:
        errors += [*taken, *map(_refused_here, reached), *found.breaches, *found.unknown]
    else:
        errors += taken
        hints += [*reached, *found.breaches, *found.unknown]
    if not found.faults:
        told = {each.path for each in found.unknown}
        lint = (_of_the_nad(each, nad) for each in lint_nad(nad, facts))
        hints += [each for each in lint if each.path not in told]
    return NadReview(tuple(errors), tuple(hints))


def _of_the_nad(warning: Finding, nad: Nad) -> Finding:
    """Return a warning about a pod's NAD as one about the NAD itself, by its own path."""
    field = warning.path.removeprefix(f"NAD {nad.ref} ")
    return replace(warning, path=field if field.startswith("spec.") else f"spec.config.{field}")


def _refused_here(warning: Finding) -> Finding:
    return replace(warning, message=f"cannot write it here: {warning.message}")


def _is_unchanged(nad: Nad, old: Nad) -> bool:
    key = RESOURCE_NAME_ANNOTATION
    return nad.config == old.config and nad.annotations.get(key) == old.annotations.get(key)


def _resource_faults(nad: Nad) -> Iterator[Finding]:
    """Yield an error for a resource that no container can request: no pod could use the NAD."""
    name = nad.annotations.get(RESOURCE_NAME_ANNOTATION)
    if name is None:
        return
    domain, slash, bare = name.partition("/")
    if not slash or not is_dns_subdomain(domain) or not _RESOURCE.fullmatch(bare):
        path = f"metadata.annotations[{RESOURCE_NAME_ANNOTATION}]"
        message = "cannot ask for devices: it is no name of an extended resource"
        yield Finding(path, message, "write DOMAIN/NAME, as the device plugin does")
