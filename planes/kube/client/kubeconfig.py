"""Read kubeconfigs: the cluster and the user of their current context, or of a named one.

Several files count as one, as for kubectl: of two entries of one name the first file's counts, and
a path is relative to the file that has it.

kubernetes_asyncio looks entries up by name (`ConfigNode`) and reads the `exec` of a user
(`ExecProvider`). Its `KubeConfigLoader` is not used: it keeps the chosen cluster and user private,
and loading logs in at once. Nor is `FileOrData`: `as_file` writes secrets to temporary files, and
`as_data` reads a file once, which then would not be read again when it rotates.

Invariant: what is a file stays a file; the kubeconfig's size is bounded before it is parsed. No
secret ever shows in a repr, text or log.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from planes.kube.client.credential_plugin import CredentialPlugin
from planes.kube.client.credentials import Access, Source
from planes.kube.client.impersonation import impersonation_headers
from planes.kube.client.server_url import url_fault
from planes.model.errors import BadInput, JsonObject, NotFound
from planes.model.lines import first_few
from planes.model.names import is_dns_label, shown

_MAX_BYTES = 1 << 20
_HOWS = "auth-provider", "username"
_EXEC_VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1"))
_MOST_NAMES: Final = 8
_EXEC_EXTENSION: Final = "client.authentication.k8s.io/exec"
_LOG_IN: Final = "use a user with token, tokenFile, or client-certificate and client-key"


def from_kubeconfig(
    path: Path, root: str = "", context: str = "", *, further: Sequence[Path] = ()
) -> Access:
    """Return the access of a context: CA, and token, client certificate or credential plugin.

    Args:
        path: the file.
        root: prefix of its absolute paths.
        context: the context's name, "" for the current one.
        further: files whose entries count where no earlier file has one of that name.

    Raises:
        NotFound: there is no such file.
        BadInput: it is not a kubeconfig, has no such context, or logs in in an unsupported way
            (OIDC …).
    """
    from planes.kube.client.lean_config import KUBE_CONFIG  # noqa: PLC0415 - loaded late

    files = _Files(tuple(_Config(one, _read(one), root, KUBE_CONFIG) for one in (path, *further)))
    of_context, chosen = files.context(context)
    of_cluster, cluster = files.named("clusters", "cluster", of_context.text(chosen, "cluster"))
    config, user = files.named("users", "user", of_context.text(chosen, "user"))
    if cluster.get("insecure-skip-tls-verify"):
        raise of_cluster.unusable("insecure-skip-tls-verify is set", "set certificate-authority")
    for how in _HOWS:
        if how in user:
            raise config.unusable(f"its user logs in by {how}", _LOG_IN)
    token = config.source(user, "tokenFile", "token", is_base64=False)
    access = Access(
        server=of_cluster.text(cluster, "server").rstrip("/"),
        authority=of_cluster.source(cluster, "certificate-authority"),
        token=token,
        certificate=config.source(user, "client-certificate"),
        key=config.source(user, "client-key"),
        server_name=of_cluster.optional(cluster, "tls-server-name"),
        proxy=of_cluster.optional(cluster, "proxy-url"),
        plugin=_plugin(config, user["exec"], cluster) if "exec" in user else None,
        namespace=of_context.namespace(chosen),
        impersonation=_impersonation(config, user),
    )
    if (access.certificate is None) != (access.key is None):
        raise config.unusable("it has a client certificate or key without the other", _LOG_IN)
    is_secret = token is not None or access.key is not None
    if is_secret and access.plugin is not None:
        raise config.unusable("its user logs in by exec and in another way", "keep one of them")
    _check_urls(of_cluster, access, needs_tls=is_secret or access.plugin is not None)
    return access


def _check_urls(config: _Config, access: Access, *, needs_tls: bool) -> None:
    if not access.server.startswith("https://" if needs_tls else ("https://", "http://")):
        raise config.unusable("its server is not an https:// address", "set https://HOST:PORT")
    if fault := url_fault(access.server, allows_login=False):
        raise config.unusable(f"its server {fault}", "set https://HOST:PORT")
    if access.proxy and (fault := url_fault(access.proxy, allows_login=True)):
        raise config.unusable(f"its proxy-url {fault}", "set http://HOST:PORT, or remove it")


def _impersonation(config: _Config, user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    try:
        return impersonation_headers(user)
    except BadInput as error:
        raise config.unusable(error.message, error.remedy) from None


def _plugin(config: _Config, spec: Any, cluster: Mapping[str, Any]) -> CredentialPlugin:
    """Return the credential plugin that the `exec` of a user names."""
    if config.root:
        raise config.unusable("its user logs in by exec, whose program is the node's", _LOG_IN)
    config.text(spec, "command")
    if spec.get("apiVersion") not in _EXEC_VERSIONS:
        raise config.unusable("the apiVersion of its exec is not known", f"set {_EXEC_VERSIONS[0]}")
    if spec.get("interactiveMode") == "Always":
        raise config.unusable("its exec asks at a terminal", "set interactiveMode to IfAvailable")
    if not _is_list(spec.get("args"), _is_text):
        raise config.unusable("args of its exec is not a list of texts")
    if not _is_list(spec.get("env"), _is_variable):
        raise config.unusable("env of its exec is not a list of name and value")
    provider = config.module.ExecProvider(config.module.ConfigNode("exec", spec))
    command, *args = provider.args
    if "/" in command:
        command = str(config.path.parent.absolute() / command)
    told = config.told(cluster) if spec.get("provideClusterInfo") else None
    return CredentialPlugin((command, *args), provider.api_version, provider.env, told)


def _is_list(value: Any, is_item: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(is_item, value)))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_variable(value: Any) -> bool:
    return isinstance(value, dict) and _is_text(value.get("name")) and _is_text(value.get("value"))


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(
            f"cannot read the kubeconfig {path}: {error.strerror or error}",
            remedy="name a file we may read with --kubeconfig",
        ) from error
    try:
        # The text of a parser's error quotes the file, and the file is a secret.
        return yaml.safe_load(data[:_MAX_BYTES])
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"cannot use the kubeconfig {path}: it is not YAML") from error
    except RecursionError as error:
        raise BadInput(f"cannot use the kubeconfig {path}: it nests too deep") from error


@dataclass(frozen=True, slots=True)
class _Config:
    """A kubeconfig's content, checked as it is read; `module` is `kube_config`."""

    path: Path
    top: Any = field(repr=False)
    root: str
    module: Any = field(repr=False)

    def unusable(self, why: str, remedy: str = "correct the file") -> BadInput:
        return BadInput(f"cannot use the kubeconfig {self.path}: {why}", remedy=remedy)

    def text(self, holder: Any, key: str) -> str:
        value = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(value, str) or not value:
            raise self.unusable(f"{key} is not set")
        return value

    def namespace(self, context: Mapping[str, Any]) -> str:
        """Return the namespace of a context, "" where it has none.

        Raises:
            BadInput: it is no name.
        """
        value = context.get("namespace")
        if not value:
            return ""
        if not isinstance(value, str) or not is_dns_label(value):
            raise self.unusable("the namespace of its context is no name of one")
        return value

    def optional(self, holder: Mapping[str, Any], key: str) -> str:
        """Return a text, "" where there is none."""
        value = holder.get(key)
        if value is not None and not isinstance(value, str):
            raise self.unusable(f"{key} is not a text", "put it in quotes")
        return value or ""

    def entry(self, plural: str, singular: str, name: str) -> dict[str, Any] | None:
        """Return the one entry of a name, as `kubectl` refuses two; None where there is none."""
        entries = _entries(self.top, plural) if isinstance(self.top, dict) else []
        usable = [entry for entry in entries if isinstance(entry.get(singular), dict)]
        try:
            found = self.module.ConfigNode(plural, usable).get_with_name(name, safe=True)
        except self.module.ConfigException as error:
            raise self.unusable(f"it has two {plural} of one name") from error
        value: dict[str, Any] | None = None if found is None else found[singular].value
        return value

    def told(self, cluster: Mapping[str, Any]) -> JsonObject:
        """Return what a plugin with `provideClusterInfo` is told, without the CA."""
        names = "server", "tls-server-name", "proxy-url"
        told: JsonObject = {name: cluster[name] for name in names if cluster.get(name)}
        extensions = cluster.get("extensions")
        for extension in extensions if isinstance(extensions, list) else []:
            if isinstance(extension, dict) and extension.get("name") == _EXEC_EXTENSION:
                told["config"] = extension.get("extension")
        try:
            orjson.dumps(told)
        except orjson.JSONEncodeError as error:
            raise self.unusable(f"its extension {_EXEC_EXTENSION} is not JSON") from error
        return told

    def source(
        self,
        holder: Mapping[str, Any],
        file_key: str,
        data_key: str = "",
        *,
        is_base64: bool = True,
    ) -> Source | None:
        key = data_key or f"{file_key}-data"
        data, file = self.optional(holder, key), self.optional(holder, file_key)
        if data:
            if not is_base64:
                return data.encode()
            try:
                return base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError) as error:
                raise self.unusable(f"{key} is not base64") from error
        if file:
            is_elsewhere = file.startswith("/") and self.root
            return Path(f"{self.root}{file}") if is_elsewhere else self.path.parent / file
        return None


@dataclass(frozen=True, slots=True)
class _Files:
    """Kubeconfigs that count as one; there is at least one."""

    configs: tuple[_Config, ...]

    def unusable(self, why: str, remedy: str = "correct the file") -> BadInput:
        names = ":".join(str(config.path) for config in self.configs)
        return BadInput(f"cannot use the kubeconfig {names}: {why}", remedy=remedy)

    def context(self, name: str) -> tuple[_Config, dict[str, Any]]:
        """Return the context of a name, "" for the current one."""
        if name and self.entry("contexts", "context", name) is None:
            named = first_few([shown(one) for one in self.names("contexts")], _MOST_NAMES)
            remedy = f"name one of its contexts: {named or 'it has none'}"
            raise self.unusable(f"it has no context {name}", remedy)
        return self.named("contexts", "context", name or self.current_context())

    def current_context(self) -> str:
        for config in self.configs:
            name = config.top.get("current-context") if isinstance(config.top, dict) else None
            if name:
                return config.text(config.top, "current-context")
        raise self.unusable("current-context is not set", "set it, or name one with --context")

    def entry(self, plural: str, singular: str, name: str) -> tuple[_Config, dict[str, Any]] | None:
        for config in self.configs:
            if (found := config.entry(plural, singular, name)) is not None:
                return config, found
        return None

    def named(self, plural: str, singular: str, name: str) -> tuple[_Config, dict[str, Any]]:
        found = self.entry(plural, singular, name)
        if found is None:
            whose = "current-context" if singular == "context" else "its context"
            raise self.unusable(f"it has no {singular} {shown(name)}, which {whose} names")
        return found

    def names(self, plural: str) -> list[str]:
        """Return the names of entries, of every file."""
        tops = [config.top for config in self.configs if isinstance(config.top, dict)]
        found = [entry for top in tops for entry in _entries(top, plural)]
        return list(dict.fromkeys(str(entry["name"]) for entry in found))


def _entries(top: Mapping[str, Any], plural: str) -> list[Mapping[str, Any]]:
    """Return the entries of a kind that have a name."""
    entries = top.get(plural)
    listed = entries if isinstance(entries, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and "name" in entry]
