"""The CRD of planes says field by field what `parse_plane` reads: names, values, bounds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.model.errors import JsonObject
from planes.model.spec.plane import API_VERSION, find_plane_faults, parse_plane
from planes.model.spec.plane_parts import NETWORK_TYPES
from planes.model.spec.plane_spec import (
    Allow,
    Attach,
    Enforcement,
    IpamMode,
)
from tests.support.plane_corpus import corpus_plane

ROOT = Path(__file__).parents[2]
CRD = yaml.safe_load((ROOT / "manifests/base/crds/planes.yaml").read_text())
VERSION = CRD["spec"]["versions"][0]
SPEC = VERSION["schema"]["openAPIV3Schema"]["properties"]["spec"]
OPEN = {"spec.network.plugins[0]"}
"""Objects that may have more fields than we know."""

FULL: JsonObject = corpus_plane(
    {
        "namespaceSelector": {"matchLabels": {"a": "b"}},
        "podSelector": {"matchLabels": {"a": "b"}},
        "network": {"type": "bridge", "master": "br1", "plugins": [{"type": "tuning"}]},
        "subnets": [
            {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "routes": [{"dst": "10.0.0.0/8"}]}
        ],
        "ipam": {"conflictDetection": "Probe", "probe": {}},
        "staticIPs": {"reservations": [{"ip": "10.9.0.7", "namespace": "shop"}]},
        "mac": {},
        "routes": [{"dst": "10.0.0.0/8"}],
        "bandwidth": {"ingressRate": 1, "ingressBurst": 1, "egressRate": 1, "egressBurst": 1},
        "isolation": {},
        "quota": {"overrides": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]},
        "enforcement": {},
    }
)
NAMED: JsonObject = corpus_plane(
    {"network": {"nadRef": {"namespace": "a", "name": "b"}}, "subnets": None}
)


def fields(schema: JsonObject, path: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield every field below a schema, list elements as `[0]`."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
        if "items" in field:
            yield f"{path}.{name}[0]", field["items"]
            yield from fields(field["items"], f"{path}.{name}[0]")


FIELDS = dict(fields(SPEC, "spec"))
LEAVES = {path: field for path, field in FIELDS.items() if not path.endswith("]")}
READ = [path for path in LEAVES if "Expressions[0]" not in path and "plugins[0]" not in path]
"""What the model has names for: expressions and plugins are read as others define them."""
INTEGERS = [path for path, field in FIELDS.items() if field.get("type") == "integer"]


def put(path: str, value: Any) -> JsonObject:
    """Return a full plane with a value at a path."""
    obj = copy.deepcopy(NAMED if ".nadRef" in path else FULL)
    *parents, last = path.replace("[0]", ".0").split(".")
    here: Any = obj
    for key in parents:
        here = here[int(key) if key == "0" else key]
    here[last] = value
    return obj


def faults_at(path: str, obj: JsonObject) -> list[str]:
    """Return what the model says of one field: an exact path, or one in it."""
    return [str(each) for each in find_plane_faults(obj)[1] if each.path.startswith(path)]


def test_the_planes_these_tests_change_are_good() -> None:
    assert find_plane_faults(FULL)[1] == []
    assert find_plane_faults(NAMED)[1] == []


def test_group_version_and_names_are_what_the_model_reads() -> None:
    assert f"{CRD['spec']['group']}/{VERSION['name']}" == API_VERSION
    assert CRD["spec"]["scope"] == "Cluster"
    assert CRD["spec"]["names"]["shortNames"] == ["pl"]
    assert VERSION["subresources"] == {"status": {}}


@pytest.mark.parametrize("path", READ)
def test_the_model_knows_every_field(path: str) -> None:
    found = find_plane_faults(put(path, {"no": "value of any kind"}))[1]
    assert not [each for each in found if each.path == path and "unknown field" in each.message]


OBJECTS = {
    path
    for path, field in {"spec": SPEC, **FIELDS}.items()
    if field.get("type") == "object" and "properties" in field
    if path not in OPEN and "matchExpressions" not in path
}


@pytest.mark.parametrize("path", sorted(OBJECTS))
def test_the_schema_knows_every_field_of_the_model(path: str) -> None:
    """The remedy for a field nobody knows lists those that are known."""
    known = [
        each.remedy.removeprefix("known are ").split(", ")
        for each in find_plane_faults(put(f"{path}.0123456789", 1))[1]
        if each.path == f"{path}.0123456789" and each.remedy.startswith("known are ")
    ]
    schema = SPEC if path == "spec" else FIELDS[path]
    if path.endswith("elector"):
        assert set(schema["properties"]) == {"matchLabels", "matchExpressions"}
    else:
        assert [set(schema["properties"])] == [set(names) for names in known]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("spec.attachment", Attach),
        ("spec.ipam.mode", IpamMode),
        ("spec.staticIPs.allow", Allow),
        ("spec.enforcement.pods", Enforcement),
        ("spec.network.type", NETWORK_TYPES),
    ],
)
def test_choices_are_the_models(path: str, values: Any) -> None:
    assert set(FIELDS[path]["enum"]) == set(values)


@pytest.mark.parametrize("path", INTEGERS)
def test_bounds_of_numbers_are_the_models(path: str) -> None:
    field = FIELDS[path]
    low, high = field["minimum"], field.get("maximum", 2**63 - 1)
    assert faults_at(path, put(path, low - 1))
    assert faults_at(path, put(path, high + 1))
    for value in (low, high):
        refused = [
            text for text in faults_at(path, put(path, value)) if f"cannot use {value}" in text
        ]
        assert refused == []


@pytest.mark.parametrize("path", [path for path, field in FIELDS.items() if "default" in field])
def test_a_default_is_what_the_model_takes_where_nothing_is_said(path: str) -> None:
    assert parse_plane(put(path, FIELDS[path]["default"])) == parse_plane(FULL)


@pytest.mark.parametrize("path", LEAVES)
def test_every_field_is_described(path: str) -> None:
    field = FIELDS[path]
    assert field.get("description", "").rstrip().endswith("."), path


@pytest.mark.parametrize("path", FIELDS)
def test_everything_is_bounded(path: str) -> None:
    """CEL rules are only allowed where their cost is."""
    field = FIELDS[path]
    limits = {"string": ("maxLength", "enum"), "array": ("maxItems",), "integer": ("minimum",)}
    assert any(key in field for key in limits.get(field.get("type", ""), ("type",)))
    if "additionalProperties" in field:
        assert "maxProperties" in field


def rules(schema: JsonObject) -> Iterator[JsonObject]:
    """Yield every rule of a schema."""
    yield from schema.get("x-kubernetes-validations", [])
    for field in schema.get("properties", {}).values():
        yield from rules(field)
    if "items" in schema:
        yield from rules(schema["items"])


def test_every_rule_has_a_message_that_is_no_expression() -> None:
    found = list(rules(VERSION["schema"]["openAPIV3Schema"]))
    assert len(found) > 40
    assert [each for each in found if not each["message"] or "self." in each["message"]] == []


@pytest.mark.parametrize(
    "path",
    [
        "spec.deletionPolicy",
        "spec.network.requireCarrier",
        "spec.ipam.borrow",
        "spec.enforcement.workloads",
    ],
)
def test_a_field_that_some_program_does_not_enforce_has_no_default(path: str) -> None:
    """An API server writes a default into each plane.

    Daemons not yet upgraded drop a plane with a field they do not know, and a field that nobody
    enforces would say in each plane what is not so.
    """
    assert "default" not in FIELDS[path]
