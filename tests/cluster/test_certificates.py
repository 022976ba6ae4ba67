"""Certificates on a real API server, which calls the webhook with the caBundle it was given."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from aiohttp import web
from cryptography import x509

from certs.cluster import CONFIGURATIONS, SECRET
from certs.issue import Lifetimes
from certs.managed import ManagedCertificates, Replica
from certs.metrics import CertificateMetrics
from certs.policy import RenewalSettings
from certs.serving import RotatingContext
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.resources import Resource
from planes.model.errors import PlanesError
from planes.run.clock import SystemClock
from planes.run.metrics import Metrics
from tests.cluster.apiserver import ApiServer
from tests.cluster.rest import MANIFESTS

NAMESPACE = "netplane-system"
HOST = "127.0.0.1"
ROTATIONS = 5
SHIPPED_SECRET = MANIFESTS / "base" / "webhook" / "secret.yaml"
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")

# Due a few seconds after it was made: validity starts a day before.
LIFETIMES = Lifetimes(timedelta(days=365), timedelta(days=365), timedelta(days=1))
DUE = (timedelta(days=1) + timedelta(seconds=4)) / timedelta(days=366)

# Exactly what a replica needs for its certificates; it runs as alice here.
CLUSTER_RULES = [
    {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        "resourceNames": [CONFIGURATIONS],
        "verbs": ["get", "update"],
    },
]
RULES = [
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": [SECRET],
        "verbs": ["get", "update"],
    },
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["create", "list", "patch", "delete"],
    },
]


def role(kind: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a role of alice's."""
    group = "rbac.authorization.k8s.io"
    name = "certificates"
    subject = {"apiGroup": group, "kind": "User", "name": "alice"}
    metadata: dict[str, Any] = {"name": name}
    if kind == "Role":
        metadata["namespace"] = NAMESPACE
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [subject],
        },
    ]


def configuration(kind: str, ports: list[int]) -> dict[str, Any]:
    """Return one entry for each replica: the API server calls both for every ConfigMap."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": CONFIGURATIONS},
        "webhooks": [
            {
                "name": f"replica{number}.netplane.io",
                "clientConfig": {"url": f"https://{HOST}:{port}/"},
                "namespaceSelector": {"matchLabels": {"asked": "yes"}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["configmaps"],
                    }
                ],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
            }
            for number, port in enumerate(ports)
        ],
    }


class Hook:
    """A webhook that allows everything and ends each connection: every call is a handshake."""

    def __init__(self, client: Client, pod: str, leader: list[str]) -> None:
        self.reviews = 0
        self.context = RotatingContext()
        replica = Replica(NAMESPACE, "netplane-webhook", pod, (HOST,))
        self.certificates = ManagedCertificates(
            client,
            self.context,
            replica,
            is_leader=lambda: leader[0] == pod,
            clock=SystemClock(),
            metrics=CertificateMetrics(Metrics()),
            serials=x509.random_serial_number,
            lifetimes=LIFETIMES,
            settings=RenewalSettings(
                frozenset(replica.all_names),
                renew_at=DUE,
                spread=timedelta(seconds=2),
                look_again=timedelta(seconds=0.5),
            ),
        )

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Allow."""
        self.reviews += 1
        uid = (await request.json())["request"]["uid"]
        review = {"uid": uid, "allowed": True}
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": review}
        answer = web.json_response(body)
        answer.force_close()
        return answer

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on a free port."""
        runner = web.ServerRunner(web.Server(self.answer))
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, 0, ssl_context=self.context.listener).start()
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()


async def ask_until_rotated(admin: Client, hooks: list[Hook], leader: list[str]) -> list[str]:
    """Have the API server ask both replicas all the time; return the texts of refused requests."""
    refused: list[str] = []
    roots: list[set[str]] = [set(), set()]
    number = 0
    while min(map(len, roots)) <= ROTATIONS:
        number += 1
        obj = {"metadata": {"name": f"asked-{number}", "namespace": "asked"}}
        try:
            await admin.create(CONFIG_MAPS, obj, namespace="asked")
        except PlanesError as exc:
            refused.append(str(exc))
        for seen, hook in zip(roots, hooks, strict=True):
            assert hook.context.pair is not None
            seen.add(hook.context.pair.certificate.x509.issuer.rfc4514_string())
        leader[0] = f"pod{len(roots[0]) % 2}"
        await asyncio.sleep(0.05)
    assert number > 20 * ROTATIONS
    return refused


async def test_an_api_server_admits_throughout_five_rotations_of_root_and_certificate(
    own_api_server: ApiServer,
) -> None:
    for name in (NAMESPACE, "asked"):
        own_api_server.kubectl("create", "namespace", name)
    own_api_server.kubectl("label", "namespace", "asked", "asked=yes")
    own_api_server.apply(*role("ClusterRole", CLUSTER_RULES), *role("Role", RULES))
    own_api_server.kubectl("apply", "-f", str(SHIPPED_SECRET))
    leader = ["pod0"]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                connect(own_api_server.kubeconfig(user), user_agent="netplane-test")
            )
            for user in ("admin", "alice", "alice")
        ]
        hooks = [Hook(client, f"pod{n}", leader) for n, client in enumerate(clients[1:])]
        ports = [await stack.enter_async_context(hook.listening()) for hook in hooks]
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            await asyncio.to_thread(own_api_server.apply, configuration(kind, ports))
        async with asyncio.timeout(90):
            running = [asyncio.create_task(hook.certificates.run()) for hook in hooks]
            try:
                while not all(hook.certificates.is_trusted() for hook in hooks):
                    await asyncio.sleep(0.1)
                await asyncio.sleep(1)  # the first caBundle reaches the API server's own cache
                refused = await ask_until_rotated(clients[0], hooks, leader)
            finally:
                for task in running:
                    task.cancel()
                await asyncio.wait(running)
    assert refused == []
    leases = own_api_server.get("leases", "-n", NAMESPACE)["items"]
    assert [lease["metadata"]["name"] for lease in leases] == []
    secret = own_api_server.get("secret", SECRET, "-n", NAMESPACE)
    assert len(json.dumps(secret)) < 16_000
    for how in ((), ("--server-side",)):  # the manifests, applied again
        own_api_server.kubectl("apply", *how, "-f", str(SHIPPED_SECRET))
        assert own_api_server.get("secret", SECRET, "-n", NAMESPACE)["data"] == secret["data"]
