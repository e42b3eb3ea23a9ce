"""Bedrock through the gateway, by keys that a profile of AWS's files leads to.

STS, the portal of single sign-on and its token service are played here; botocore says whose signatures they get, and so does Bedrock.
"""

import datetime
import hashlib
import json
import re
import urllib.parse
from pathlib import Path

import openai
import pytest
from botocore.credentials import Credentials

ROOT = Path(__file__).parents[3]
ANSWER = (ROOT / "tests/golden/_answers/bedrock_converse/text.json").read_bytes()
ASK = {"model": "model", "messages": [{"role": "user", "content": "hello there"}]}
BASE = Credentials("AKIDBASEBASEBASE", "secret-of-the-source-0123456789")
MIDDLE = Credentials("ASIAMIDDLEMIDDLE", "secret-between-0123456789", "token-between")
ARN = "arn:aws:iam::123456789012:role/{}"
HOUR = datetime.timedelta(hours=1)


class Aws:
    """Its services, and what they were asked; `steps` are the keys that each role in turn is assumed with, and those it has."""

    def __init__(self, serve, aws, home):
        self.is_signed, self.home = aws.is_signed, home
        own = Credentials(aws.keys["access_key_id"], aws.keys["secret_access_key"], aws.keys["session_token"])
        self.own, self.steps, self.asked, self.token = own, [(BASE, own)], [], "token-of-a-login"
        self.answered = 0
        self.port, self.bedrock = serve(self.services), serve(self.chat)

    def services(self, path, headers, body):
        url = urllib.parse.urlsplit(path)
        expires = datetime.datetime.now(datetime.UTC) + HOUR
        if url.path == "/token":
            self.asked.append(json.loads(body))
            self.token = "token-renewed"
            return 200, "application/json", json.dumps({"accessToken": self.token, "expiresIn": 28800}).encode()
        if url.path == "/federation/credentials":
            self.asked.append(dict(urllib.parse.parse_qsl(url.query)))
            if headers["x-amz-sso_bearer_token"] != self.token:
                return 401, "application/json", b'{"message": "Session token not found or invalid"}'
            keys = {"accessKeyId": self.own.access_key, "secretAccessKey": self.own.secret_key}
            keys |= {"sessionToken": self.own.token, "expiration": int(expires.timestamp() * 1000)}
            return 200, "application/json", json.dumps({"roleCredentials": keys}).encode()
        shown, given = self.steps[len(self.asked) % len(self.steps)]
        if not self.is_signed(path, headers, body, self.port, shown, "sts"):
            return 403, "text/xml", b"<Error><Code>SignatureDoesNotMatch</Code><Message>No</Message></Error>"
        self.asked.append(dict(urllib.parse.parse_qsl(body.decode())))
        keys = {"AccessKeyId": given.access_key, "SecretAccessKey": given.secret_key, "SessionToken": given.token}
        keys["Expiration"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, "text/xml", "".join(f"<{name}>{value}</{name}>" for name, value in keys.items()).encode()

    def chat(self, path, headers, body):
        if not self.is_signed(path, headers, body, self.bedrock):
            return 403, "application/json", b'{"message":"The request signature we calculated does not match"}'
        self.answered += 1
        return 200, "application/json", ANSWER

    def write(self, name, text):
        path = self.home / ".aws" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def account(self):
        account = {"kind": "bedrock", "region": "eu-central-1", "base_url": f"http://127.0.0.1:{self.bedrock}"}
        return account | {"credential": None, "profile": "models"}

    def start(self, ringway):
        environment = {"HOME": str(self.home), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}
        models = {"model": ["a/amazon.nova-2-lite-v1:0"]}
        return ringway(providers={"a": self.account()}, models=models, environment=environment)


@pytest.fixture
def services(serve, aws, tmp_path):
    return Aws(serve, aws, tmp_path / "home")


def ask(gateway):
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        return client.chat.completions.create(**ASK).choices[0].message.content


def test_a_role_is_assumed_by_the_keys_of_another_profile(ringway, services):
    services.write(
        "credentials", f"[base]\naws_access_key_id={BASE.access_key}\naws_secret_access_key={BASE.secret_key}\n"
    )
    role = f"role_arn = {ARN.format('models')}\nsource_profile = base\nexternal_id = ours\nduration_seconds = 900\n"
    services.write("config", f"[profile models]\n{role}")
    gateway = services.start(ringway)
    assert ask(gateway) and ask(gateway)
    # Two chats, and one question for both.
    assert services.asked == [
        {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": ARN.format("models"),
            "RoleSessionName": "ringway",
            "ExternalId": "ours",
            "DurationSeconds": "900",
        }
    ]
    assert services.answered == 2


def test_a_role_is_assumed_by_another_role(ringway, services):
    services.steps = [(BASE, MIDDLE), (MIDDLE, services.own)]
    base = f"aws_access_key_id={BASE.access_key}\naws_secret_access_key={BASE.secret_key}\n"
    hub = f"[profile hub]\nrole_arn = {ARN.format('hub')}\nsource_profile = base\n"
    models = f"[profile models]\nrole_arn = {ARN.format('models')}\nsource_profile = hub\n"
    services.write("config", f"[profile base]\n{base}{hub}{models}")
    assert ask(services.start(ringway))
    assert [question["RoleArn"] for question in services.asked] == [ARN.format("hub"), ARN.format("models")]


SSO = """[profile models]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = reader
[sso-session corp]
sso_start_url = https://corp.example/start
sso_region = eu-central-1
"""


def cached(services, expires_at, **more):
    stem = hashlib.sha1(b"corp").hexdigest()
    services.write("config", SSO)
    (services.home / ".aws/sso/cache").mkdir(parents=True)
    services.write(
        f"sso/cache/{stem}.json", json.dumps({"accessToken": "token-of-a-login", "expiresAt": expires_at} | more)
    )


def test_single_sign_on(ringway, services):
    cached(services, "2100-01-01T00:00:00Z")
    assert ask(services.start(ringway))
    assert services.asked == [{"role_name": "reader", "account_id": "123456789012"}]


def test_single_sign_on_is_renewed(ringway, services):
    grant = {"clientId": "client", "clientSecret": "hidden", "refreshToken": "grant"}
    cached(services, "2001-01-01T00:00:00Z", **grant, registrationExpiresAt="2100-01-01T00:00:00Z")
    assert ask(services.start(ringway))
    assert services.asked[0] == grant | {"grantType": "refresh_token"} and len(services.asked) == 2


@pytest.mark.parametrize(
    "write, said",
    [
        (
            lambda aws: cached(aws, "2001-01-01T00:00:00Z"),
            "has expired and cannot be renewed.*run `aws sso login --sso-session corp`",
        ),
        (
            lambda aws: aws.write("config", "[profile models]\ncredential_process = /bin/keys\n"),
            "Ringway starts no programs",
        ),
        (
            lambda aws: aws.write("config", "[profile models]\nrole_arn = x\nsource_profile = models\n"),
            "'models' and 'models' again lead in a circle",
        ),
    ],
)
def test_why_there_are_no_keys_is_in_the_log(ringway, services, write, said):
    write(services)
    gateway = services.start(ringway)
    with pytest.raises(openai.APIStatusError) as error:
        ask(gateway)
    assert error.value.status_code >= 500 and not services.answered
    assert re.search(f"providers.a: no credential: .*{said}", gateway.child.stderr), gateway.child.stderr
