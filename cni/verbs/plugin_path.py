"""The directories that the plugins of a call are looked up in."""

from __future__ import annotations

from dataclasses import replace

from cni.call import CniRequest
from cni.takeover.followed_settings import FollowedSettings


class PluginPath:
    """Completes CNI_PATH.

    Args:
        followed: knows Multus' `binDir`, which comes first.
        own: our own directories, which come last.
    """

    def __init__(self, followed: FollowedSettings, own: tuple[str, ...]) -> None:
        self._followed = followed
        self._own = own

    def with_own(self, request: CniRequest) -> CniRequest:
        """Return the call with our own directories after its own."""
        return request.with_path(self._own)

    async def complete(self, request: CniRequest) -> CniRequest:
        """Return the call with all directories."""
        given = self.with_own(request).cni_path
        return replace(request, cni_path=await self._followed.cni_path(given))
