"""Read CNI_ARGS as the reference plugins do: an unknown key is an error unless IgnoreUnknown=1.

Kubernetes' keys (K8S_POD_NAME …) come with `IgnoreUnknown=1`.
"""

from __future__ import annotations

from cni.plugins.plugin import Call
from planes.model.errors import BadInput, CniCode


def known_args(call: Call, *keys: str) -> dict[str, str]:
    """Return the values of the keys that a plugin knows, where present.

    Raises:
        BadInput: there are other keys, without IgnoreUnknown=1 (code 4).
    """
    found = {key: value for key, value in call.cni_args if key in keys}
    if call.arg("IgnoreUnknown").lower() in {"1", "true"}:
        return found
    others = [
        f"{key}={value}"
        for key, value in call.cni_args
        if key not in keys and key != "IgnoreUnknown"
    ]
    if others:
        raise BadInput(
            f"cannot use CNI_ARGS: unknown args {others}",
            remedy="add IgnoreUnknown=1 or drop them",
            code=CniCode.BAD_ENVIRONMENT,
        )
    return found
