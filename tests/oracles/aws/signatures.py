"""Requests at random, signed by botocore: `signatures.json`, which the tests of src/providers/sigv4.rs hold themselves against.

`python signatures.py` writes the file anew. The requests come from a fixed seed, so that the same botocore writes the same file.
"""

import datetime
import json
import pathlib
import random
import string
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FILE = pathlib.Path(__file__).with_name("signatures.json")
CASES = 150

MODELS = [
    "anthropic.claude-opus-4-5-20251101-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123",
    "a b+c%d~e_f-g.h",
    "größe/模型",
]
OPERATIONS = ["converse", "converse-stream", "invoke", "invoke-with-response-stream"]


def text(rng, alphabet, most):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, most)))


def request(rng):
    printable = string.ascii_letters + string.digits + " !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~äß模"
    key_text = string.ascii_letters + string.digits + "+/="
    segments = ["model", rng.choice([*MODELS, text(rng, printable, 30)]), rng.choice(OPERATIONS)]
    if "." in segments[1][:2]:
        # A segment that is nothing but dots would be taken for a step in the tree.
        segments[1] = "m" + segments[1]
    query = [[text(rng, printable, 8), text(rng, printable, 8)] for _ in range(rng.choice([0, 0, 0, 1, 2, 5]))]
    if query and rng.random() < 0.3:
        query.append([query[0][0], text(rng, printable, 8)])
    headers = {"host": rng.choice(["bedrock-runtime.us-east-1.amazonaws.com", "localhost:8080", "10.0.0.1"])}
    if rng.random() < 0.8:
        headers["content-type"] = rng.choice(["application/json", "application/json;  charset=utf-8", "text/plain"])
    for _ in range(rng.choice([0, 0, 1, 3])):
        name = "x-" + text(rng, string.ascii_lowercase + string.digits + "-", 12)
        value = text(rng, string.ascii_letters + string.digits + "  ,;=\t", 40)
        headers[name] = value
    return {
        "method": rng.choice(["POST", "POST", "POST", "GET", "PUT"]),
        "segments": segments,
        "query": query,
        "headers": headers,
        "body": text(rng, printable, 200) if rng.random() < 0.9 else "",
        "access_key_id": "TEST" + text(rng, string.ascii_uppercase + string.digits, 16),
        "secret_access_key": text(rng, key_text, 40),
        "session_token": text(rng, key_text, 400) if rng.random() < 0.5 else None,
        "region": rng.choice(["us-east-1", "eu-central-1", "ap-northeast-3", "us-gov-west-1", "cn-north-1"]),
        "service": rng.choice(["bedrock", "bedrock", "sts"]),
        "time_s": rng.choice(
            # The first and last second of days, leap days, and anything between 1970 and 2100.
            [0, 86399, 86400, 951782399, 951782400, 1709164800, 1798761599, 1798761600, rng.randint(0, 4102444800)]
        ),
    }


def signed(case):
    """What botocore adds to the request."""
    path = "".join("/" + quote(segment, safe="-._~") for segment in case["segments"])
    url = f"https://{case['headers']['host']}{path}"
    headers = {name: value for name, value in case["headers"].items() if name != "host"}
    aws = AWSRequest(method=case["method"], url=url, headers=headers, data=case["body"].encode())
    aws.params = [tuple(pair) for pair in case["query"]]
    # Given as a header it is taken as it stands.
    aws.headers["host"] = case["headers"]["host"]
    at = datetime.datetime.fromtimestamp(case["time_s"], datetime.UTC)
    aws.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    credentials = Credentials(case["access_key_id"], case["secret_access_key"], case["session_token"])
    auth = SigV4Auth(credentials, case["service"], case["region"])
    # add_auth() without its clock.
    auth._modify_request_before_signing(aws)
    text_to_sign = auth.string_to_sign(aws, auth.canonical_request(aws))
    auth._inject_signature_to_request(aws, auth.signature(text_to_sign, aws))
    return {
        "path": path,
        "x-amz-date": aws.headers["X-Amz-Date"],
        "x-amz-security-token": aws.headers.get("X-Amz-Security-Token"),
        "authorization": aws.headers["Authorization"],
    }


def cases():
    rng = random.Random(4)
    made = [request(rng) for _ in range(CASES)]
    lines = (json.dumps({**case, "signed": signed(case)}, sort_keys=True) for case in made)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(cases(), encoding="utf-8")
