"""Bodies that are bombs, or that say two things, over the wire. What the scanner itself accepts is in tests/bad_input/json."""

import json

import pytest

from peers.bad_input.wire import Wire, ask, chat_body, head, post

MESSAGES = b'"messages":[{"role":"user","content":"Name three rivers."}]'
DEEP = b"[" * 100_000 + b"]" * 100_000
BROAD = b",".join(b'"k%d":0' % n for n in range(1_000_000))

# Body, status, code, and whether it goes to the provider.
REFUSED = {
    "100,000 levels": (b'{"model":"m",' + MESSAGES + b',"x":' + DEEP + b"}", "invalid_json"),
    "100,000 levels of objects": (
        b'{"model":"m",' + MESSAGES + b',"x":' + b'{"a":' * 100_000 + b"0" + b"}" * 100_001,
        "invalid_json",
    ),
    "100,000 brackets and no end": (b"[" * 100_000, "invalid_json"),
    "model twice": (b'{"model":"m",' + MESSAGES + b',"model":"other"}', "invalid_json"),
    "model twice, once escaped": (b'{"model":"m",' + MESSAGES + b',"mod\\u0065l":"other"}', "invalid_json"),
    "stream twice": (b'{"model":"m","stream":false,' + MESSAGES + b',"stream":true}', "invalid_json"),
    "no model": (b"{" + MESSAGES + b"}", "invalid_request"),
    "model is null": (b'{"model":null,' + MESSAGES + b"}", "invalid_request"),
    "model is a number": (b'{"model":1,' + MESSAGES + b"}", "invalid_request"),
    "model is a list": (b'{"model":["m"],' + MESSAGES + b"}", "invalid_request"),
    "model is empty": (b'{"model":"",' + MESSAGES + b"}", "invalid_request"),
    "model with CR LF": (b'{"model":"a\\r\\nX: y",' + MESSAGES + b"}", "invalid_request"),
    "model with NUL": (b'{"model":"a\\u0000b",' + MESSAGES + b"}", "invalid_request"),
    "model with an escape character": (b'{"model":"a\\u001b[31m",' + MESSAGES + b"}", "invalid_request"),
    "model with DEL": (b'{"model":"a\x7fb",' + MESSAGES + b"}", "invalid_request"),
    "model with a C1 control": (b'{"model":"a\\u0085b",' + MESSAGES + b"}", "invalid_request"),
    "model of 10 KiB": (b'{"model":"' + b"a" * 10240 + b'",' + MESSAGES + b"}", "invalid_request"),
    "stream is a text": (b'{"model":"m","stream":"true",' + MESSAGES + b"}", "invalid_request"),
    "a byte order mark": (b"\xef\xbb\xbf" + chat_body(), "invalid_json"),
    "NaN": (b'{"model":"m","temperature":NaN,' + MESSAGES + b"}", "invalid_json"),
    "Infinity": (b'{"model":"m","temperature":-Infinity,' + MESSAGES + b"}", "invalid_json"),
    "a raw control character": (b'{"model":"m","x":"a\nb",' + MESSAGES + b"}", "invalid_json"),
    "cut UTF-8": (b'{"model":"m","x":"\xe2\x82",' + MESSAGES + b"}", "invalid_json"),
    "overlong UTF-8": (b'{"model":"m","x":"\xc0\xaf",' + MESSAGES + b"}", "invalid_json"),
    "UTF-16": ('{"model":"m"}'.encode("utf-16-le"), "invalid_json"),
    "a lone surrogate in model": (b'{"model":"\\ud800",' + MESSAGES + b"}", "invalid_request"),
    "a comment": (b'{"model":"m",/* */' + MESSAGES + b"}", "invalid_json"),
    "a comma at the end": (b'{"model":"m",' + MESSAGES + b",}", "invalid_json"),
    "two values": (chat_body() + chat_body(), "invalid_json"),
    "a list": (b"[" + chat_body() + b"]", "invalid_json"),
    "a text": (b'"hello"', "invalid_json"),
    "a million members": (b'{"model":"m",' + MESSAGES + b"," + BROAD + b"}", "invalid_json"),
    "a million of the same member": (b'{"model":"m",' + MESSAGES + b',"x":0' * 1_000_000 + b"}", "invalid_json"),
    "messages is an object": (b'{"model":"m","messages":{"role":"user"}}', "invalid_request"),
    "nothing": (b"", "invalid_json"),
    "spaces": (b" " * 100_000, "invalid_json"),
    "half": (chat_body()[:-5], "invalid_json"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(target, name):
    body, code = REFUSED[name]
    before = target.provider.stats().requests
    got = ask(target.gateway, post(target.gateway.key, body))
    assert (got.status, got.code) == (400, code), got
    # A refusal is bounded whatever it quotes, and quotes nothing that could break a log or a terminal.
    assert len(got.body) < 2048
    assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in got.json["error"]["message"])
    assert target.provider.stats().requests == before


def reaches(target, body):
    """Sends the body; returns what the provider got of it."""
    before = target.provider.stats().requests
    with Wire(target.gateway) as wire:
        wire.send(post(target.gateway.key, body))
        got = wire.answer()
    seen = target.provider.stats()
    assert seen.requests == before + 1, got
    return got, seen.recent[-1]


def test_a_million_members_further_down_pass_in_bounded_memory(target):
    """They are validated and not kept."""
    before = target.gateway.resident_bytes()
    body = b'{"model":"m",' + MESSAGES + b',"x":{' + BROAD + b"}}"
    got, seen = reaches(target, body)
    assert got.status == 200 and seen["body_bytes"] == len(body)
    assert target.gateway.resident_bytes() - before < 4 * len(body)


@pytest.mark.parametrize(
    "extra",
    [
        b'"x":1e400',
        b'"x":-0',
        b'"x":' + b"9" * 1000,
        b'"x":"\\ud800"',
        b'"x":"\\u0000"',
        b'"x":"data: [DONE]\\n\\n"',
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"$ref":"http://127.0.0.1:1/x"}}}]',
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"$defs":{"a":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}}}]',
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"string","pattern":"(a+)+$"}}}]',
        b'"api_base":"http://127.0.0.1:1","base_url":"http://127.0.0.1:1","host":"evil.example"',
    ],
    ids=lambda extra: extra[:24].decode(),
)
def test_what_is_the_providers_to_judge_passes_untouched(target, extra):
    """None of it has a meaning to the gateway; above all no member names a host. Some of it is too much for the provider."""
    body = b'{"model":"m",' + MESSAGES + b"," + extra + b"}"
    got, seen = reaches(target, body)
    assert seen["body"].encode() == body
    assert got.status in (200, 400)


def test_an_inline_image_of_almost_the_limit(target):
    image = "A" * (20 * 1024 * 1024 - 400)
    content = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    assert len(body) <= 20 * 1024 * 1024
    got, seen = reaches(target, body)
    assert got.status == 200 and seen["body_bytes"] == len(body)


def test_a_byte_beyond_the_limit(target):
    limit = 20 * 1024 * 1024
    padding = limit - len(chat_body(padding=""))
    assert reaches(target, chat_body(padding="x" * padding))[0].status == 200
    got = ask(target.gateway, post(target.gateway.key, chat_body(padding="x" * (padding + 1))))
    assert (got.status, got.code) == (413, "request_too_large")


ODD_MODELS = [
    "../../etc/passwd",
    "m?x=y",
    "m#x",
    "a b",
    "%2e%2e",
    "äöü",
    "m\u202eb",
    "$(reboot)",
    "' OR 1=1 --",
    'a"b',
    "a\\b",
    "<script>",
]


@pytest.mark.parametrize("model", ODD_MODELS)
def test_an_odd_model_is_only_a_name(target, model):
    """It goes to the provider as it is, in the body, and nowhere else."""
    got, seen = reaches(target, chat_body(model=model))
    assert got.status == 200, got
    assert json.loads(seen["body"])["model"] == model and seen["path"] == "/v1/chat/completions"
    assert all(len(line) < 4096 for line in (target.gateway.folder / "access.log").read_text().splitlines())


PATHS = ["/v1/models/..%2f..%2fadmin", "/v1/models/%00", "/v1/models/a%0d%0ab", "/v1/models/%zz", "/v1/models/" + "a" * 8000,
         "/v1/models/%ff", "/v1/../metrics", "//v1/models", "/v1//models", "/V1/models", "/v1/models/", "/v1/chat/completions/../../models"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:30])
def test_an_odd_path(target, path):
    before = target.provider.stats().requests
    got = ask(target.gateway, head("GET", path, target.gateway.key) + b"\r\n", "GET")
    assert got.status in (200, 404), got
    if got.status == 404:
        assert got.code in ("model_not_found", "unknown_url", "unsupported_endpoint")
    assert len(got.body) < 2048
    assert target.provider.stats().requests == before


HEADERS = ["X-Forwarded-For: 1.2.3.4", "X-Api-Key: x", "Cookie: a=b", "api-key: x", "OpenAI-Organization: other",
           "OpenAI-Project: other", "Proxy-Authorization: Basic x", "X-Forwarded-Host: evil.example", "Via: 1.1 x",
           "TE: trailers", "Connection: idempotency-key", "Keep-Alive: timeout=5", "x-ringway-debug: 0"]  # fmt: skip


def test_headers_end_here_but_for_a_few(target):
    request = post(target.gateway.key, chat_body(), *HEADERS, "Idempotency-Key: k", "Traceparent: 00-a-b-01")
    assert ask(target.gateway, request).status == 200
    seen = target.provider.last_request().headers
    allowed = {"host", "authorization", "content-type", "content-length", "accept", "user-agent", "accept-encoding"}
    assert seen.keys() <= allowed | {"idempotency-key", "traceparent"}, seen
    assert "evil" not in seen["host"]


def test_the_debug_header_and_a_log_line_cannot_be_broken(target):
    """What a client chooses is escaped in the access log: every line is one JSON object."""
    for model in ODD_MODELS:
        request = post(target.gateway.key, chat_body(model=model), 'x-client-request-id: a"},{"x":"')
        asked = ask(target.gateway, request).headers["x-request-id"]
        line = target.gateway.wait_log(f"{asked}", lambda line, asked=asked: line["request_id"] == asked)
        assert line["status"] == 200
