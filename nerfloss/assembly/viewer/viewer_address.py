"""The address of a viewer, and the line that tells it."""

import secrets
import socket
from dataclasses import dataclass

from nerfloss.assembly.viewer.access_rule import LOCAL, AccessRule

HOST, PORT = "127.0.0.1", 7007
# Wildcard hosts listen on all network interfaces; a client cannot connect to them by name.
WILDCARD_HOSTS = frozenset({"0.0.0.0", "::", ""})


@dataclass(frozen=True)
class ViewerAddress:
    """Where a viewer listens; ``token`` None: one is made where other machines can reach it.

    Raises ValueError for a port that does not exist.
    """

    host: str = HOST
    port: int = PORT
    token: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} does not exist: give 0 (a free one) to 65535")

    def rule(self) -> AccessRule:
        """Return the rule of access."""
        token = self.token
        if token is None and self.host not in LOCAL:
            token = secrets.token_urlsafe(16)
        return AccessRule(self.host, token)


def address_line(rule: AccessRule, port: int) -> str:
    """Return the address to open, with what protects it.

    A wildcard host is replaced by the host name of this machine.
    """
    host = socket.gethostname() if rule.host in WILDCARD_HOSTS else rule.host
    host = f"[{host}]" if ":" in host else host
    if rule.token is None:
        return f"http://{host}:{port} (this machine only)"
    note = "whoever has it can use the viewer, and the connection is not encrypted"
    return f"http://{host}:{port}/?token={rule.token} ({note})"
