"""Models that are reached through a cloud: Bedrock by signed requests, Vertex by tokens that are fetched.

Both clouds are servers of the test's own. That of Bedrock has botocore sign what it got once more and compares; its answers are the
golden ones. That of Google gives out one token and answers nobody without it; behind it stands the simulated provider.
"""

import base64
import datetime
import http.server
import json
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import openai
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).parents[3]
ANSWERS = ROOT / "tests/golden/_answers/bedrock_converse"
KEYS = Credentials("AKIDTESTTESTTEST", "secret-of-a-test-0123456789", "token-of-a-session")
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASK = {"model": "model", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
def serve():
    """Starts a server whose POST requests `answer(path, headers, body)` answers with status, content type and bytes."""
    servers = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, content_type, said = answer(self.path, self.headers, body)
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def is_signed(path, headers, body, port):
    """Does botocore sign this request the same way, at the time that it names?"""
    at = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    covered = {name: headers[name] for name in names if not name.startswith("x-amz-")}
    request = AWSRequest("POST", f"http://127.0.0.1:{port}{path}", headers=covered, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(KEYS, "bedrock", "eu-central-1")
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = KEYS.token
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    fresh = abs(datetime.datetime.now(datetime.UTC) - at) < datetime.timedelta(minutes=5)
    return fresh and headers["authorization"].endswith(f"Signature={signature}")


@pytest.fixture
def bedrock(serve):
    """What was asked, newest last; `answer` names the golden file that the next request gets."""

    class Bedrock:
        answer = "text.json"
        asked = []

    bedrock = Bedrock()
    bedrock.asked = []

    def answer(path, headers, body):
        if not is_signed(path, headers, body, bedrock.port):
            return 403, "application/json", b'{"message":"The request signature we calculated does not match"}'
        bedrock.asked.append((path, json.loads(body)))
        kind = "application/vnd.amazon.eventstream" if bedrock.answer.endswith(".bin") else "application/json"
        return 200, kind, (ANSWERS / bedrock.answer).read_bytes()

    bedrock.port = serve(answer)
    return bedrock


@pytest.fixture
def of_bedrock(ringway, bedrock):
    keys = {"access_key_id": KEYS.access_key, "secret_access_key": KEYS.secret_key, "session_token": KEYS.token}
    account = {"kind": "bedrock", "region": "eu-central-1", "base_url": f"http://127.0.0.1:{bedrock.port}", **keys}
    gateway = ringway(providers={"a": {**account, "credential": None}}, models={"model": [f"a/{MODEL}"]})
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        yield client


def test_bedrock_answers_signed_requests(of_bedrock, bedrock):
    answer = of_bedrock.chat.completions.create(**ASK, max_completion_tokens=50)
    assert answer.choices[0].message.content and answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0
    ((path, body),) = bedrock.asked
    assert path == f"/model/{urllib.parse.quote(MODEL, safe='')}/converse"
    assert body["messages"] == [{"role": "user", "content": [{"text": "hello there"}]}]
    assert body["inferenceConfig"] == {"maxTokens": 50}


def test_bedrock_streams_in_frames(of_bedrock, bedrock):
    bedrock.answer = "stream_text.bin"
    chunks = list(of_bedrock.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert bedrock.asked[0][0].endswith("/converse-stream")
    bedrock.answer = "stream_parallel_tools.bin"
    chunks = list(of_bedrock.chat.completions.create(**ASK, stream=True))
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert {call.index for call in calls} == {0, 1}


def test_a_stream_of_bedrock_that_is_cut_is_an_error(of_bedrock, bedrock):
    bedrock.answer = "stream_cut.bin"
    with pytest.raises(openai.APIError):
        list(of_bedrock.chat.completions.create(**ASK, stream=True))


@pytest.fixture
def google(serve, tmp_path):
    """A service account's file, and how often its token was asked for."""

    class Google:
        token = "ya29.of-a-test-0123456789"
        asked = 0

    google = Google()

    def answer(path, headers, body):
        form = urllib.parse.parse_qs(body.decode())
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        google.asked += 1
        said = {"access_token": google.token, "expires_in": 3600, "token_type": "Bearer"}
        return 200, "application/json", json.dumps(said).encode()

    key = base64.encodebytes((ROOT / "tests/keys/service-account.der").read_bytes()).decode()
    google.file = tmp_path / "account.json"
    account = {
        "type": "service_account",
        "client_email": "robot@test.example",
        "private_key_id": "1",
        "private_key": f"-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n",
        "token_uri": f"http://127.0.0.1:{serve(answer)}/token",
    }
    google.file.write_text(json.dumps(account))
    return google


def test_vertex_is_shown_a_token_that_was_fetched(ringway, simulate, google):
    simulator = simulate("vertex", script=f'require_key = "{google.token}"\n')
    account = {"kind": "vertex", "project": "test", "location": "europe-west4", "base_url": simulator.origin}
    account |= {"credential": None, "service_account_file": google.file}
    gateway = ringway(providers={"a": account}, models={"model": ["a/sim-small"]})
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        for stream in (False, True):
            answer = client.chat.completions.create(**ASK, stream=stream)
            said = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else ""
            assert (said or answer.choices[0].message.content).startswith("You said: hello there")
    # A client of Google's own dialect gets there by its bytes.
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}).encode()
    url = f"{gateway.url}/v1beta/models/model:generateContent"
    request = urllib.request.Request(url, body, {"content-type": "application/json", "x-goog-api-key": gateway.key})
    with urllib.request.urlopen(request) as answer:
        said = json.load(answer)
    assert said["candidates"][0]["content"]["parts"][0]["text"].startswith("You said: hello there")
    asked = simulator.stats()
    assert asked.invalid == {} and google.asked == 1
    path = simulator.last_request().path
    assert path == "/v1/projects/test/locations/europe-west4/publishers/google/models/sim-small:generateContent"
