"""Manila over its API v2. Locks of access rules need its microversion 2.82 (2023.2); older ones answer 406."""

from typing import Any

from kilonova.clients.keystone.errors import RemoteConflict, RemoteNotFound
from kilonova.clients.keystone.neighbour import Neighbour, Query, Request
from kilonova.clients.manila.contract import Access, Share, ShareNotFound
from kilonova.kit.context import Context

_HEADERS = {"X-OpenStack-Manila-API-Version": "2.82"}
_NOT_FOUND = 404


class HttpManila:
    """Implements ``contract.Manila``."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    def get(self, context: Context | None, share_id: str) -> Share:
        try:
            found = self._get(f"/shares/{share_id}", context)["share"]
            exports = self._get(f"/shares/{share_id}/export_locations", context)["export_locations"]
        except RemoteNotFound as error:
            raise ShareNotFound(share_id=share_id) from error
        exports.sort(key=lambda export: not export.get("preferred"))
        return Share(
            id=found["id"],
            status=found["status"],
            protocol=found["share_proto"].upper(),
            export=exports[0]["path"] if exports else None,
        )

    def access(self, share_id: str, to: str) -> Access | None:
        found = self._get("/share-access-rules", None, (("share_id", share_id),))["access_list"]
        return next((Access(id=r["id"], to=to, state=r["state"]) for r in found if r["access_to"] == to), None)

    def allow(self, share_id: str, to: str) -> None:
        rule = {"access_type": "ip", "access_to": to, "access_level": "rw"}
        locks = {"lock_visibility": True, "lock_deletion": True, "lock_reason": "Used by a server"}
        try:
            self._act(share_id, {"allow_access": rule | locks})
        except RemoteNotFound as error:
            raise ShareNotFound(share_id=share_id) from error
        except RemoteConflict:
            if self.access(share_id, to) is None:  # else somebody was faster
                raise

    def deny(self, share_id: str, access_id: str) -> None:
        self._act(share_id, {"deny_access": {"access_id": access_id, "unrestrict": True}}, accept=(_NOT_FOUND,))

    def _get(self, path: str, context: Context | None, query: Query = ()) -> Any:
        as_user = context is not None and context.token is not None
        request = Request(
            method="GET",
            path=f"/v2{path}",
            query=query,
            headers=_HEADERS,
            context=context,
            as_user=as_user,
            vouched=True,
        )
        return self._neighbour.call(request).json()

    def _act(self, share_id: str, body: Any, accept: tuple[int, ...] = ()) -> None:
        path = f"/v2/shares/{share_id}/action"
        self._neighbour.call(
            Request(method="POST", path=path, body=body, headers=_HEADERS, vouched=True, accept=accept)
        )
