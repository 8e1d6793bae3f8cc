"""The server answers through the rule alone, and gives no file of the machine away."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nerfloss.assembly.viewer.access_rule import AccessRule
from nerfloss.assembly.viewer.server import start_server, stop_server

viser = pytest.importorskip("viser", reason="the extra 'viewer' is missing")
TOKEN = "a-long-enough-token"
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": f"viser-v{viser.__version__}",
}


@pytest.fixture(scope="module")
def local() -> Iterator[int]:
    server = start_server(AccessRule("127.0.0.1"), 0, "test")
    yield server.get_port()
    stop_server(server)


@pytest.fixture(scope="module")
def guarded() -> Iterator[int]:
    server = start_server(AccessRule("127.0.0.1", TOKEN), 0, "test")
    yield server.get_port()
    stop_server(server)


def ask(port: int, target: str, **headers: str) -> tuple[int, bytes]:
    """The status and the answer to a request that is sent as written, nothing normalised."""
    sent = {"Host": f"127.0.0.1:{port}", "Connection": "close", **headers}
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n" not in answer or (answer.split()[1] != b"101" and len(answer) < 10**8):
            part = connection.recv(65536)
            if not part:
                break
            answer += part
    return int(answer.split()[1]), answer


def test_the_page_and_the_websocket_are_served_to_this_machine(local: int) -> None:
    status, answer = ask(local, "/")
    assert status == 200
    assert b"<html" in answer
    assert ask(local, "/", **UPGRADE, Origin=f"http://127.0.0.1:{local}")[0] == 101


def test_pages_of_other_sites_are_refused(local: int) -> None:
    assert ask(local, "/", Host="evil.example")[0] == 403
    assert ask(local, "/", **UPGRADE, Origin="http://evil.example")[0] == 403


def test_without_the_token_nothing_is_served(guarded: int) -> None:
    assert ask(guarded, "/")[0] == 403
    assert ask(guarded, "/index.html")[0] == 403
    assert ask(guarded, "/", **UPGRADE)[0] == 403
    assert ask(guarded, "/?token=wrong-token", **UPGRADE)[0] == 403


def test_the_address_with_the_token_sets_a_cookie_that_opens_page_and_websocket(
    guarded: int,
) -> None:
    status, answer = ask(guarded, f"/?token={TOKEN}")
    assert status == 303
    assert f"Set-Cookie: nerfloss_viewer={TOKEN}; HttpOnly; SameSite=Strict".encode() in answer
    cookie = {"Cookie": f"nerfloss_viewer={TOKEN}"}
    assert ask(guarded, "/", **cookie)[0] == 200
    assert ask(guarded, "/", **UPGRADE, **cookie)[0] == 101


@pytest.mark.parametrize(
    "target",
    [
        "/../../../../../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..\\..\\..\\..\\..\\..\\..\\etc\\passwd",
        "/%252e%252e/%252e%252e/etc/passwd",
        "//etc/passwd",
        "/./../package.json",
        "/etc/passwd",
        "file:///etc/passwd",
    ],
)
def test_no_file_of_the_machine_is_reachable(local: int, target: str) -> None:
    status, answer = ask(local, target)
    assert status in (400, 404)
    assert b"root:" not in answer


def test_no_browser_can_open_a_tunnel_to_the_outside() -> None:
    server: Any = start_server(AccessRule("127.0.0.1"), 0, "test")
    try:
        assert server.request_share_url() is None
    finally:
        stop_server(server)


def test_a_port_that_is_taken_and_an_unknown_host_are_named(local: int) -> None:
    with pytest.raises(OSError, match=r"cannot listen at nowhere\.invalid"):
        start_server(AccessRule("nowhere.invalid", TOKEN), 0, "test")
    with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1, port {local}: .*in use"):
        start_server(AccessRule("127.0.0.1"), local, "test")


def test_starting_and_stopping_leaves_other_servers_alone(capsys: pytest.CaptureFixture) -> None:
    from websockets.asyncio import server as websockets_server

    before = websockets_server.serve
    stop_server(start_server(AccessRule("127.0.0.1"), 0, "test"))
    assert websockets_server.serve is before
    assert capsys.readouterr().out == ""


def test_nothing_imports_viser_before_a_viewer_starts(repository: Path) -> None:
    import subprocess
    import sys

    code = "import sys, nerfloss.assembly.build; print('viser' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=repository, check=True
    )
    assert done.stdout.strip() == "False"
