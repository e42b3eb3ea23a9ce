"""Servers of the tests' own that stand for clouds."""

import base64
import datetime
import http.server
import json
import threading
import urllib.parse
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).parents[3]
KEYS = Credentials("AKIDTESTTESTTEST", "secret-of-a-test-0123456789", "token-of-a-session")


@pytest.fixture
def serve():
    """Starts a server whose requests `answer(path, headers, body)` answers with status, content type, bytes and, if it wants to, more
    headers."""
    servers = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, content_type, said, *more = answer(self.path, self.headers, body)
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(said)))
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST

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


@pytest.fixture
def aws():
    """What a test needs to stand for AWS: the keys as an account's configuration has them, and whether a request is signed by them."""

    class Aws:
        keys = {"access_key_id": KEYS.access_key, "secret_access_key": KEYS.secret_key, "session_token": KEYS.token}
        is_signed = staticmethod(is_signed)

        @staticmethod
        def account(port, **more):
            account = {"kind": "bedrock", "region": "eu-central-1", "base_url": f"http://127.0.0.1:{port}"}
            return account | Aws.keys | {"credential": None} | more

    return Aws


def is_signed(path, headers, body, port, keys=KEYS, service="bedrock"):
    """Does botocore sign this request the same way, at the time that it names?"""
    at = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    covered = {name: headers[name] for name in names if not name.startswith("x-amz-")}
    request = AWSRequest("POST", f"http://127.0.0.1:{port}{path}", headers=covered, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(keys, service, "eu-central-1")
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    fresh = abs(datetime.datetime.now(datetime.UTC) - at) < datetime.timedelta(minutes=5)
    return fresh and headers["authorization"].endswith(f"Signature={signature}")


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
