"""Password hashes by the standard library's scrypt.

The cost is some 20 ms, far below what a production service should take: every command of a command line client logs in
anew, and a lab must feel quick. It is taken as time, not memory (half a MiB a login), because the allocator keeps what
each serving thread once had, and an idle lab must stay small.
"""

import base64
import hashlib
import hmac
import secrets

_LOG_N, _R, _P = 9, 8, 8
_MEMORY = 64 << 20


def hash_password(password: str, log_n: int = _LOG_N) -> str:
    """``scrypt$log2(n)$r$p$salt$key``; a step of ``log_n`` doubles the cost."""
    salt = secrets.token_bytes(16)
    key = _derive(password, salt, (log_n, _R, _P))
    return f"scrypt${log_n}${_R}${_P}${_text(salt)}${_text(key)}"


def verify(password: str, stored: str | None) -> bool:
    """Does the password belong to the hash? Never for a user without one."""
    if not stored:
        return False
    _, log_n, r, p, salt, key = stored.split("$")
    derived = _derive(password, base64.b64decode(salt), (int(log_n), int(r), int(p)))
    return hmac.compare_digest(derived, base64.b64decode(key))


def _derive(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << cost[0], r=cost[1], p=cost[2], maxmem=_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
