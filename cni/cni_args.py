"""CNI_ARGS as the reference plugins read them: known keys, and no others unless told to ignore.

Kubernetes' keys (K8S_POD_NAME …) come with `IgnoreUnknown=1`; a mistyped key without it is an
error, not a silent nothing.
"""

from __future__ import annotations

from cni.plugin import Call
from planes.model.errors import BadInput, CniCode


def known_args(call: Call, *keys: str) -> dict[str, str]:
    """Give the values of the keys a plugin knows, those present.

    Raises:
        BadInput: there are other keys and nothing says to ignore them (code 4).
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
