"""curl over HTTP/1.1 and HTTP/2, with and without TLS, as a person at a terminal uses it."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.gateway_only

CHAT = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "Name three rivers."}]})
STREAM = json.dumps({**json.loads(CHAT), "stream": True})
VERSIONS = ["--http1.1", "--http2"]


class Curl:
    def __init__(self, gateway, *options, stdin=subprocess.DEVNULL):
        self.gateway = gateway
        self.options = options
        self.stdin = stdin

    def __call__(self, path, *options, key=True):
        """Body, and what curl says of the exchange: `http_code`, `http_version`, `exitcode` and more."""
        mark = "\n---- curl says: "
        head = ["-H", f"authorization: Bearer {self.gateway.key}"] if key else []
        command = ["curl", "-sS", "--max-time", "30", *self.options, *head, "-w", mark + "%{json}", *options]
        command.append(f"{self.gateway.url}{path}")
        run = subprocess.run(command, stdin=self.stdin, capture_output=True, text=True, timeout=40)
        body, said = run.stdout.rsplit(mark, 1)
        said = json.loads(said)
        assert said["exitcode"] == run.returncode == 0, run.stderr
        return body, said


@pytest.fixture
def provider(simulate):
    return simulate("a")


@pytest.fixture
def secure(ringway, provider, certificates):
    gateway = ringway(
        providers={"a": provider},
        models={"sim-small": ["a/sim-small"]},
        tls=(certificates.cert_file, certificates.key_file),
    )
    return lambda *options: Curl(gateway, "--cacert", str(certificates.ca_file), *options)


@pytest.fixture
def plain(ringway, provider):
    gateway = ringway(providers={"a": provider}, models={"sim-small": ["a/sim-small"]})
    return lambda *options, stdin=subprocess.DEVNULL: Curl(gateway, *options, stdin=stdin)


def version(option):
    return {"--http1.1": "1.1", "--http2": "2", "--http2-prior-knowledge": "2"}[option]


def check_all(curl, expected_version):
    body, said = curl("/v1/models")
    assert (said["http_code"], said["http_version"]) == (200, expected_version)
    assert [model["id"] for model in json.loads(body)["data"]] == ["sim-small"]

    body, said = curl("/v1/chat/completions", "--json", CHAT)
    assert (said["http_code"], said["http_version"]) == (200, expected_version)
    content = json.loads(body)["choices"][0]["message"]["content"]

    body, said = curl("/v1/chat/completions", "-N", "--json", STREAM)
    assert said["content_type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in body.splitlines() if line]
    assert events[-1] == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert "".join(deltas) == content

    body, said = curl("/v1/chat/completions", "--json", CHAT, key=False)
    assert said["http_code"] == 401
    assert json.loads(body)["error"]["code"] == "missing_api_key"


@pytest.mark.parametrize("option", VERSIONS)
def test_tls(secure, option):
    check_all(secure(option), version(option))


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
def test_plaintext(plain, option):
    check_all(plain(option), version(option))


def test_paths_without_v1(plain):
    body, said = plain()("/chat/completions", "--json", CHAT)
    assert said["http_code"] == 200 and json.loads(body)["choices"]


@pytest.mark.parametrize("option", VERSIONS)
def test_one_connection_serves_many(secure, option):
    curl = secure(option)
    again = [part for _ in range(4) for part in ("-o", "/dev/null", f"{curl.gateway.url}/v1/models")]
    _, said = curl("/v1/models", *again)
    assert said["num_connects"] == 0, "the last exchange should have reused the first one's connection"


def test_expect_100_continue(plain, tmp_path):
    """curl waits for it before a body of a megabyte; it must come, and only once."""
    body = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "x" * 1_500_000}]})
    (tmp_path / "body").write_text(body)
    head = ["-H", "expect: 100-continue", "-H", "content-type: application/json", "--expect100-timeout", "25"]
    answer, said = plain("--http1.1", "-i")("/v1/chat/completions", *head, "--data-binary", f"@{tmp_path / 'body'}")
    assert answer.count("HTTP/1.1 100") == 1
    assert said["http_code"] == 200


def test_expect_is_answered_with_the_refusal_itself_when_the_body_is_too_large(plain, tmp_path):
    (tmp_path / "body").write_bytes(bytes(21 << 20))
    head = ["-H", "expect: 100-continue", "-H", "content-type: application/json", "--expect100-timeout", "25"]
    answer, said = plain("--http1.1", "-i")("/v1/chat/completions", *head, "--data-binary", f"@{tmp_path / 'body'}")
    assert "HTTP/1.1 100" not in answer
    assert said["http_code"] == 413
    assert said["size_upload"] == 0


@pytest.mark.parametrize("length", ["declared", "by growth"])
@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
def test_a_refusal_in_the_middle_of_a_body_is_seen(plain, tmp_path, option, length):
    """curl sends all of it, or notices the answer before; in either case it reports the answer and no error of the stream."""
    prompt = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "x" * (25 << 20)}]})
    (tmp_path / "body").write_text(prompt)
    # From a file that it cannot measure, curl sends chunks, or a body of HTTP/2 without a length.
    source = ["--data-binary", f"@{tmp_path / 'body'}"] if length == "declared" else ["-T", "-", "-X", "POST"]
    # Neither is a wait for `100 Continue`.
    head = ["-H", "content-type: application/json", "-H", "expect:"]
    with open(tmp_path / "body", "rb") as body:
        answer, said = plain(option, stdin=body)("/v1/chat/completions", *head, *source)
    assert (said["http_code"], said["http_version"]) == (413, version(option))
    assert json.loads(answer)["error"]["code"] == "request_too_large"
