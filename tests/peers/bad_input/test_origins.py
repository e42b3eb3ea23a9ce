"""Web pages: a gateway on loopback answers to its own names only, and lets pages in only by name."""

import pytest

from peers.bad_input.wire import ask, chat_body, head, post


def request(key, host, *lines, method="GET", path="/v1/models"):
    text = head(method, path, key, *lines).replace(b"Host: localhost\r\n", f"Host: {host}\r\n".encode())
    return text + b"\r\n"


OURS = [
    "localhost",
    "LOCALHOST:8080",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.1.2.3",
    "[::1]",
    "[::1]:8080",
    "[::ffff:127.0.0.1]",
]
FOREIGN = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.1.1", "0.0.0.0",
           "localhost:x", "localhost:99999", "localhost.", "127.1", "0x7f000001", "2130706433", "[::1", "[::]", "user@localhost",
           "localhost/x", "localhost, evil.example"]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_our_own_names(target, host):
    assert ask(target.gateway, request(target.gateway.key, host), "GET").status == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names(target, host):
    got = ask(target.gateway, request(target.gateway.key, host), "GET")
    assert (got.status, got.code) == (403, "host_not_allowed")


def test_a_foreign_name_costs_nobody_anything(target):
    before = target.provider.stats().requests
    body = post(target.gateway.key, chat_body()).replace(b"Host: localhost", b"Host: evil.example")
    assert ask(target.gateway, body).status == 403
    assert target.provider.stats().requests == before


def test_names_that_were_allowed(own):
    target = own(server={"allowed_hosts": ["gateway.internal"]})
    key = target.gateway.key
    assert ask(target.gateway, request(key, "Gateway.Internal:443"), "GET").status == 200
    assert ask(target.gateway, request(key, "localhost"), "GET").status == 200
    assert ask(target.gateway, request(key, "evil.example"), "GET").status == 403


CORS = "access-control-allow-origin"
PREFLIGHT = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, content-type")


def preflight(key, origin):
    return request(key, "localhost", f"Origin: {origin}", *PREFLIGHT, method="OPTIONS", path="/v1/chat/completions")


def no_cors(got):
    return not any(name.startswith("access-control") for name in got.headers)


def test_pages_are_not_let_in_by_default(target):
    key = target.gateway.key
    assert no_cors(ask(target.gateway, request(key, "localhost", "Origin: https://app.example"), "GET"))
    got = ask(target.gateway, preflight(key, "https://app.example"))
    assert got.status >= 400 and no_cors(got)
    # Not even the page of a file.
    assert no_cors(ask(target.gateway, preflight(key, "null")))


def test_pages_that_were_let_in(own):
    target = own(server={"cors_origins": ["https://app.example"]})
    gateway = target.gateway
    got = ask(gateway, preflight(gateway.key, "https://app.example"))
    assert got.status == 204 and got.headers[CORS] == "https://app.example"
    assert "authorization" in got.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in got.headers
    got = ask(gateway, request(gateway.key, "localhost", "Origin: https://app.example"), "GET")
    assert got.status == 200 and got.headers[CORS] == "https://app.example" and "origin" in got.headers["vary"].lower()
    # A preflight carries no key, and an error can be read by the page as well.
    got = ask(gateway, preflight("", "https://app.example").replace(b"Authorization: Bearer \r\n", b""))
    assert got.status == 204
    got = ask(gateway, request("wrong", "localhost", "Origin: https://app.example"), "GET")
    assert got.status == 401 and got.headers[CORS] == "https://app.example"
    for other in (
        "https://evil.example",
        "http://app.example",
        "https://app.example.evil.example",
        "https://app.example:444",
        "null",
    ):
        got = ask(gateway, preflight(gateway.key, other))
        assert no_cors(got), other


def test_the_host_is_checked_for_pages_as_well(own):
    """A page that was let in does not get around the check of the name that it used for us."""
    target = own(server={"cors_origins": ["https://app.example"]})
    got = ask(target.gateway, request(target.gateway.key, "evil.example", "Origin: https://app.example"), "GET")
    assert got.status == 403
