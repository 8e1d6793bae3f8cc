"""The web server of the viewer: viser, behind an access rule that every request must pass."""

import contextlib
import importlib.util
import io
import logging
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from nerfloss.assembly.viewer.access_rule import AccessRule

INSTALL = "the viewer needs the extra 'viewer': pip install 'nerfloss[viewer]'"
REFUSED = (
    "the viewer cannot listen at {host}, port {port}: {error}; choose another (--port, viewer_port)"
)
_STARTING = threading.Lock()


def require_viser() -> None:
    """Raise ModuleNotFoundError, which names the extra, if viser is not installed."""
    if importlib.util.find_spec("viser") is None:
        raise ModuleNotFoundError(INSTALL, name="viser")


def start_server(rule: AccessRule, port: int, title: str) -> Any:
    """Return a running `viser.ViserServer` whose every request has passed ``rule``.

    Port 0 takes a free one. Raises ModuleNotFoundError without the extra ``viewer``, and OSError
    where the port cannot be listened at.
    """
    require_viser()
    import viser

    class Server(viser.ViserServer):
        """A server without viser's share tunnel, by which a browser could make it public."""

        def request_share_url(self, verbose: bool = True) -> str | None:  # noqa: ARG002
            return None

    check_port(rule.host, port)
    logging.getLogger("websockets.server").setLevel(logging.WARNING)  # "connection open"
    with _STARTING, _guarded(rule), contextlib.redirect_stdout(io.StringIO()):
        return Server(host=rule.host, port=port, label=title, verbose=False)


def stop_server(server: Any) -> None:
    """Stop a server; viser's own line on that is not printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


@contextlib.contextmanager
def _guarded(rule: AccessRule) -> Iterator[None]:
    """Make servers of websockets that begin in the ``with`` block ask ``rule`` first.

    viser has no hook for that. A second server in front of it would leave its own port open.
    """
    from websockets.asyncio import server as websockets_server
    from websockets.datastructures import Headers
    from websockets.http11 import Request, Response

    serve = websockets_server.serve

    def refused(status: HTTPStatus, text: str, **headers: str) -> Response:
        body = text.encode()
        sent = Headers({"Content-Type": "text/plain; charset=utf-8", **headers})
        sent["Content-Length"] = str(len(body))
        return Response(status, status.phrase, sent, body)

    def guarded_serve(*arguments: Any, process_request: Any, **settings: Any) -> Any:
        def process(connection: Any, request: Request) -> Response | None:
            # A header that is sent twice has no single value to be judged.
            names = [name.lower() for name, _ in request.headers.raw_items()]
            single = {name for name in names if names.count(name) == 1}
            headers = {name: request.headers[name] for name in single}
            decision = rule.decide(request.path, headers)
            if decision == "set cookie":
                cookie = f"{rule.cookie}={rule.token}; HttpOnly; SameSite=Strict; Path=/"
                found = {"Location": "/", "Set-Cookie": cookie, "Referrer-Policy": "no-referrer"}
                return refused(HTTPStatus.SEE_OTHER, "", **found)
            if decision == "forbidden":
                reason = "refused: open the address that nerfloss printed\n"
                return refused(HTTPStatus.FORBIDDEN, reason)
            return process_request(connection, request)

        return serve(*arguments, process_request=process, **settings)

    websockets_server.serve = guarded_serve
    try:
        yield
    finally:
        websockets_server.serve = serve


def check_port(host: str, port: int) -> None:
    """Raise OSError where a port is taken: viser would silently choose another one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(REFUSED.format(port=port, host=host, error=error.strerror)) from None
