"""The API server other tests build on does what they take for granted."""

from __future__ import annotations

import pytest

from tests.cluster.apiserver import ApiServer, KubectlError

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "none"}]},
}


def test_objects_can_be_applied_and_read(api_server: ApiServer) -> None:
    api_server.apply(POD)
    assert api_server.get("pod", "one")["spec"]["containers"][0]["image"] == "none"


def test_a_user_without_roles_may_not_read_pods(api_server: ApiServer) -> None:
    with pytest.raises(KubectlError, match=r'User "alice" cannot list resource "pods"'):
        api_server.kubectl("get", "pods", user="alice")


def test_a_service_account_gets_a_token(api_server: ApiServer) -> None:
    api_server.kubectl("create", "serviceaccount", "robot")
    assert api_server.service_account_token("default", "robot").count(".") == 2


def test_two_run_at_once_and_one_restarts_with_what_it_had(
    api_server: ApiServer, own_api_server: ApiServer
) -> None:
    own_api_server.kubectl("create", "namespace", "kept")
    own_api_server.stop_server()
    assert not own_api_server.is_ready()
    assert api_server.is_ready()
    own_api_server.start_server()
    assert own_api_server.get("namespace", "kept")["metadata"]["name"] == "kept"
