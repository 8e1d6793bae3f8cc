"""Only browsers of this machine, or those that know the token, are answered."""

import pytest

from nerfloss.assembly.viewer.access_rule import AccessRule
from nerfloss.assembly.viewer.viewer_address import ViewerAddress, address_line

TOKEN = "a-long-enough-token"


@pytest.mark.parametrize("host", ["127.0.0.1:7007", "localhost:8000", "[::1]:7007", "localhost"])
def test_a_browser_of_this_machine_is_answered_also_through_a_tunnel(host: str) -> None:
    headers = {"host": host, "origin": f"http://{host}"}
    assert AccessRule("127.0.0.1").decide("/", headers) == "allowed"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7007", "127.0.0.1.evil.example", ""]
)
def test_another_name_for_this_machine_is_refused(host: str) -> None:
    assert AccessRule("127.0.0.1").decide("/", {"host": host}) == "forbidden"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9999", ""])
def test_a_page_of_another_site_cannot_open_the_websocket(origin: str) -> None:
    headers = {"host": "localhost:7007", "origin": origin, "upgrade": "websocket"}
    assert AccessRule("127.0.0.1").decide("/", headers) == "forbidden"
    known = {**headers, "cookie": f"nerfloss_viewer={TOKEN}"}
    assert AccessRule("0.0.0.0", TOKEN).decide("/", known) == "forbidden"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/", {"host": "["}),
        ("/", {"host": "localhost:7007", "origin": "http://["}),
        ("//[", {"host": "machine:7007"}),
    ],
)
def test_what_is_no_address_is_refused(target: str, headers: dict[str, str]) -> None:
    assert AccessRule("0.0.0.0", TOKEN).decide(target, headers) == "forbidden"
    if target == "/":
        assert AccessRule("127.0.0.1").decide(target, headers) == "forbidden"


@pytest.mark.parametrize("token", ["abcdefgh&x", "abc def gh", "abcdefgh;x", "abcdefgh#", "ä" * 8])
def test_a_token_that_cannot_stand_in_an_address_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="letters, digits and -"):
        AccessRule("0.0.0.0", token)


def test_with_a_token_every_request_needs_it() -> None:
    rule, host = AccessRule("0.0.0.0", TOKEN), {"host": "machine:7007"}
    assert rule.decide("/", host) == "forbidden"
    assert rule.decide("/?token=another-token", host) == "forbidden"
    assert rule.decide(f"/?token={TOKEN}", host) == "set cookie"
    assert rule.decide("/", {**host, "cookie": f"x=1; nerfloss_viewer={TOKEN}"}) == "allowed"
    assert rule.decide("/", {**host, "cookie": f"nerfloss_viewer={TOKEN}x"}) == "forbidden"
    assert rule.decide("/", {**host, "cookie": "nerfloss_viewer="}) == "forbidden"
    local = {"host": "127.0.0.1:7007"}
    assert AccessRule("127.0.0.1", TOKEN).decide("/", local) == "forbidden"


def test_a_viewer_that_others_reach_has_a_token_made_anew_each_time() -> None:
    with pytest.raises(ValueError, match="give a token"):
        AccessRule("0.0.0.0")
    with pytest.raises(ValueError, match="at least 8"):
        AccessRule("0.0.0.0", "short")
    first, second = (ViewerAddress("0.0.0.0").rule().token for _ in range(2))
    assert first != second
    assert first is not None
    assert first in address_line(AccessRule("0.0.0.0", first), 7007)
    assert ViewerAddress().rule().token is None


@pytest.mark.parametrize(
    ("host", "opened"),
    [
        ("0.0.0.0", "http://attic:7007/?token="),
        ("::", "http://attic:7007/?token="),
        ("192.168.1.5", "http://192.168.1.5:7007/?token="),
        ("fe80::1", "http://[fe80::1]:7007/?token="),
    ],
)
def test_the_address_can_be_opened_on_another_machine(monkeypatch, host, opened):
    monkeypatch.setattr("socket.gethostname", lambda: "attic")
    assert address_line(AccessRule(host, TOKEN), 7007).startswith(opened + TOKEN)
