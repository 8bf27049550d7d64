"""Manila in memory."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

from kilonova.clients.manila.contract import Access, Share, ShareNotFound
from kilonova.kit.context import Context


class FakeManila:
    """Implements ``contract.Manila``. Give it shares with ``add``."""

    def __init__(self) -> None:
        self._shares: dict[str, tuple[Share, str]] = {}
        self._rules: dict[str, list[Access]] = {}
        self._lock = threading.Lock()
        self.interfere: Callable[[str, str], None] = lambda _call, _id: None
        """Called with each change before it is made: raise here what Manila shall answer."""
        self.new_state = "active"
        """Of rules that are made."""

    def add(self, *, project_id: str = "project", status: str = "available", protocol: str = "NFS") -> Share:
        ident = str(uuid.uuid4())
        share = Share(id=ident, status=status, protocol=protocol, export=f"192.0.2.50:/{ident}")
        self._shares[ident] = (share, project_id)
        return share

    def set(self, share_id: str, **changes: str | None) -> None:
        """Change a share behind everyone's back."""
        share, project = self._shares[share_id]
        self._shares[share_id] = (replace(share, **changes), project)  # type: ignore[arg-type]  # names of fields

    def rules(self, share_id: str) -> list[str]:
        """Addresses that are let in."""
        return [rule.to for rule in self._rules.get(share_id, ())]

    def get(self, context: Context | None, share_id: str) -> Share:
        share, project = self._shares.get(share_id, (None, ""))
        mine = context is None or context.token is None or context.is_admin or context.project_id == project
        if share is None or not mine:
            raise ShareNotFound(share_id=share_id)
        return share

    def access(self, share_id: str, to: str) -> Access | None:
        return next((rule for rule in self._rules.get(share_id, ()) if rule.to == to), None)

    def allow(self, share_id: str, to: str) -> None:
        self.interfere("allow", share_id)
        self.get(None, share_id)
        with self._lock:
            if self.access(share_id, to) is None:
                rule = Access(id=str(uuid.uuid4()), to=to, state=self.new_state)
                self._rules.setdefault(share_id, []).append(rule)

    def deny(self, share_id: str, access_id: str) -> None:
        self.interfere("deny", share_id)
        with self._lock:
            self._rules[share_id] = [rule for rule in self._rules.get(share_id, ()) if rule.id != access_id]
