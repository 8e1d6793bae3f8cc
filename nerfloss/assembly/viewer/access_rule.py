"""Access to the viewer: which requests of a browser are answered, by host, origin and token."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qs, urlsplit

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
# Characters that mean themselves in an address and in a cookie.
TOKEN = re.compile(r"[A-Za-z0-9._~-]*")
Decision = Literal["allowed", "set cookie", "forbidden"]


@dataclass(frozen=True)
class AccessRule:
    """The rule for a viewer that listens at ``host``.

    Without a ``token`` only browsers of this machine are answered: the ``Host`` of a request must
    be a local name, so that no other site can be resolved to this machine (DNS rebinding). With a
    token, every request must carry it as a cookie, which a page opened with ``?token=`` receives.
    In both cases a request that a page of another site makes (its ``Origin`` is not the ``Host``)
    is refused. Raises ValueError for a host that is not local without a token, and for a token that
    is short or cannot stand in an address.
    """

    host: str
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is None and self.host not in LOCAL:
            raise ValueError(
                f"a viewer at {self.host} can be reached by other machines: give a token"
            )
        if self.token is not None and len(self.token) < 8:
            raise ValueError("a token has at least 8 characters: others can be guessed")
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise ValueError("a token has letters, digits and -._~ only: it is part of an address")

    def decide(self, target: str, headers: Mapping[str, str]) -> Decision:
        """Return the decision on a request of HTTP, also one that opens a websocket.

        ``target`` is the path with its query; names in ``headers`` are in lower case.
        """
        try:
            return self._decision(target, headers)
        except ValueError:  # a path, Host or Origin that is no address, e.g. "http://["
            return "forbidden"

    def _decision(self, target: str, headers: Mapping[str, str]) -> Decision:
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "forbidden"
        if self.token is None:
            return "allowed" if _name(host) in LOCAL else "forbidden"
        if self._is_token(_cookie(headers.get("cookie", ""), self.cookie)):
            return "allowed"
        given = parse_qs(urlsplit(target).query).get("token", [""])[0]
        return "set cookie" if self._is_token(given) else "forbidden"

    @property
    def cookie(self) -> str:
        """The name of the cookie that carries the token."""
        return "nerfloss_viewer"

    def _is_token(self, given: str) -> bool:
        # Compared in constant time: the time of a refusal tells nothing of the token.
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())


def _name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    return (urlsplit(f"//{host}").hostname or "") if host else ""


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value
