"""What botocore makes of profiles: `profiles.json`, which the tests of src/control_plane/credentials/aws.rs hold themselves against.

Each case of `CASES` becomes what botocore asks of STS and of single sign-on, in that order, and whose keys it has in the end. Nothing is
sent: a handler answers in the services' place. `python profiles.py` writes the file anew.
"""

import hashlib
import json
import os
import pathlib
import tempfile
import urllib.parse
from unittest import mock

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.credentials import SSOProvider
from botocore.exceptions import BotoCoreError
from botocore.tokens import SSOTokenProvider

FILE = pathlib.Path(__file__).with_name("profiles.json")
REGION = "eu-central-1"

KEYS = "aws_access_key_id = AKIA{0}\naws_secret_access_key = secret-of-{0}\n"
BASE = "[base]\n" + KEYS.format("BASE")
ROLE = "role_arn = arn:aws:iam::123456789012:role/{0}\n"
SSO = "sso_account_id = 123456789012\nsso_role_name = reader\n"
SESSION = "[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\n"
OLDER = SSO + "sso_start_url = https://old.example/start\nsso_region = us-east-1\n"
WEB = "web_identity_token_file = {home}/token\n"
ENV_KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAENV",
    "AWS_SECRET_ACCESS_KEY": "secret-of-env",
    "AWS_SESSION_TOKEN": "token-of-env",
}
ENV_WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/env"}

PAST, FUTURE = "2001-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
GRANT = {"clientId": "client", "clientSecret": "hidden", "refreshToken": "grant", "registrationExpiresAt": FUTURE}


def token(expires_at=FUTURE, **more):
    return {"accessToken": "kept", "expiresAt": expires_at, "region": "us-east-1"} | more


def case(says, config="", credentials="", *, profile="p", env=None, sso=None):
    """`profile` is chosen by name, as in a gateway's configuration; None leaves it to the environment. `sso`: session or start URL to token."""
    tokens = {hashlib.sha1(name.encode()).hexdigest(): token for name, token in (sso or {}).items()}
    return dict(says=says, config=config, credentials=credentials, profile=profile, env=env or {}, sso=tokens)


def role(source, name="a", profile="p", more=""):
    return f"[profile {profile}]\n" + ROLE.format(name) + source + "\n" + more


FROM_BASE = "source_profile = base"

CASES = [
    case("keys", "", "[p]\n" + KEYS.format("P")),
    case("keys in the config file", "[profile p]\n" + KEYS.format("P")),
    case("keys in both files", "[profile p]\n" + KEYS.format("CONFIG"), "[p]\n" + KEYS.format("CREDENTIALS")),
    case("a token by its older name", "", "[p]\n" + KEYS.format("P") + "aws_security_token = t1\naws_session_token = t2\n"),
    case("names in capitals", "", "[p]\n" + KEYS.format("P").replace("aws_", "AWS_")),
    case("a quoted name", '[profile "of mine"]\n' + KEYS.format("P"), profile="of mine"),
    case("a section that is no profile", "[p]\n" + KEYS.format("P")),
    case("a role", role(FROM_BASE), BASE),
    case("a role whose source is in the config file", role(FROM_BASE) + "[profile base]\n" + KEYS.format("BASE")),
    case("a role in the credentials file", "", "[p]\n" + ROLE.format("a") + FROM_BASE + "\n" + BASE),
    case("a role in two files", "[profile p]\n" + ROLE.format("a") + "external_id = one\n", "[p]\nexternal_id=two\n" + FROM_BASE + "\n" + BASE),
    case(
        "all that a role may have",
        role(FROM_BASE, more="external_id = a/b=c d\nrole_session_name = me@here\nduration_seconds = 900\n"),
        BASE,
    ),
    case("a role by temporary keys", role(FROM_BASE), BASE + "aws_session_token = token/+of=base\n"),
    case("roles of roles", role("source_profile = q") + role("source_profile = r", "b", "q", "external_id = xy\n") + role(FROM_BASE, "c", "r"), BASE),
    case("a role before keys", role(FROM_BASE, more=KEYS.format("OWN")), BASE),
    case("a source's keys before its role", role("source_profile = q") + role(FROM_BASE, "b", "q", KEYS.format("Q")), BASE),
    case("a profile that names itself", role("source_profile = p", more=KEYS.format("OWN"))),
    case("a profile that names itself without keys", role("source_profile = p")),
    case("a circle", role("source_profile = q") + role("source_profile = p", "b", "q")),
    case("a circle further on", role("source_profile = q") + role("source_profile = r", "b", "q") + role("source_profile = q", "c", "r")),
    case("a source that is not there", role("source_profile = q")),
    case("a source without keys", role("source_profile = q") + "[profile q]\nregion = x\n"),
    case("a source with half of its keys", role("source_profile = q"), "[q]\naws_secret_access_key = x\n"),
    case("two sources", role(FROM_BASE + "\ncredential_source = Environment"), BASE, env=ENV_KEYS),
    case("no source", role("")),
    case("the environment's keys as a source", role("credential_source = Environment"), env=ENV_KEYS),
    case("in any case", role("credential_source = environment"), env=ENV_KEYS),
    case("an environment without keys as a source", role("credential_source = Environment")),
    case("a source that is none", role("credential_source = Elsewhere"), env=ENV_KEYS),
    case("a web identity", role(WEB, more="role_session_name = mine\n")),
    case("a web identity before keys", role(WEB), "[p]\n" + KEYS.format("P")),
    case("a web identity without a role", "[profile p]\n" + WEB),
    case("a web identity as a source", role("source_profile = q") + role(WEB, "b", "q")),
    case("a session", "[profile p]\nsso_session = corp\n" + SSO + SESSION, sso={"corp": token()}),
    case("a quoted session", "[profile p]\nsso_session = the corp\n" + SSO + SESSION.replace("corp]", '"the corp"]'), sso={"the corp": token()}),
    case("a session before keys", "[profile p]\nsso_session = corp\n" + SSO + SESSION, "[p]\n" + KEYS.format("P"), sso={"corp": token()}),
    case("a token to be renewed", "[profile p]\nsso_session = corp\n" + SSO + SESSION, sso={"corp": token(PAST, **GRANT)}),
    case("a token without a grant", "[profile p]\nsso_session = corp\n" + SSO + SESSION, sso={"corp": token(PAST)}),
    case(
        "a token whose client is no longer registered",
        "[profile p]\nsso_session = corp\n" + SSO + SESSION,
        sso={"corp": token(PAST, **GRANT | {"registrationExpiresAt": PAST})},
    ),
    case("nobody logged in", "[profile p]\nsso_session = corp\n" + SSO + SESSION),
    case("a session that is not there", "[profile p]\nsso_session = corp\n" + SSO, sso={"corp": token()}),
    case("a session that says otherwise", "[profile p]\nsso_session = corp\nsso_region = x\n" + SSO + SESSION, sso={"corp": token()}),
    case("a session without a region", "[profile p]\nsso_session = corp\n" + SSO + SESSION.replace("sso_region", "region"), sso={"corp": token()}),
    case("single sign-on without an account", "[profile p]\nsso_session = corp\nsso_role_name = r\n" + SESSION, sso={"corp": token()}),
    case("the older form", "[profile p]\n" + OLDER, sso={"https://old.example/start": token()}),
    case("the older form, expired", "[profile p]\n" + OLDER, sso={"https://old.example/start": token(PAST)}),
    case("the older form, as older tools wrote it", "[profile p]\n" + OLDER, sso={"https://old.example/start": token("2100-01-01T00:00:00UTC")}),
    case("single sign-on as a source", role("source_profile = q") + "[profile q]\nsso_session = corp\n" + SSO + SESSION, sso={"corp": token()}),
    case("the environment's keys", role(FROM_BASE), BASE, profile=None, env=ENV_KEYS | {"AWS_PROFILE": "p"}),
    case("the environment's keys and a profile by name", role(FROM_BASE), BASE, env=ENV_KEYS),
    case("the environment's profile", role(FROM_BASE), BASE, profile=None, env={"AWS_PROFILE": "p"}),
    case("the environment's web identity", "", "[default]\n" + KEYS.format("DEFAULT"), profile=None, env=ENV_WEB),
    case("the environment's web identity, named", profile=None, env=ENV_WEB | {"AWS_ROLE_SESSION_NAME": "mine"}),
    case("a role before the environment's web identity", role(FROM_BASE), BASE, profile=None, env=ENV_WEB | {"AWS_PROFILE": "p"}),
    case("a role of the default profile", "[default]\n" + ROLE.format("a") + FROM_BASE, BASE, profile=None),
    case("the default profile's longer name", "[profile default]\n" + KEYS.format("D"), profile=None),
]  # fmt: skip

STS = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>
<SecretAccessKey>secret-of-role</SecretAccessKey><SessionToken>token/+of=role</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>
</Credentials></{0}Result></{0}Response>"""
PORTAL = {
    "roleCredentials": {
        "accessKeyId": "ASIASSO",
        "secretAccessKey": "secret-of-sso",
        "sessionToken": "token-of-sso",
        "expiration": 4102444800000,
    }
}
OIDC = {"accessToken": "renewed", "expiresIn": 28800, "refreshToken": "next-grant", "tokenType": "Bearer"}


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self):
        yield self.body


def text(value):
    return value.decode() if isinstance(value, bytes) else value


class Services:
    """Answers in the place of AWS, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, request, **_):
        url = urllib.parse.urlsplit(request.url)
        headers = {name.lower(): text(value) for name, value in request.headers.items()}
        body = text(request.body) or ""
        noted = {"path": url.path}
        if url.path == "/":
            form = dict(urllib.parse.parse_qsl(body))
            # What is drawn by time; ours has a fixed one.
            form["RoleSessionName"] = form["RoleSessionName"].split("botocore-session-")[0]
            noted["form"] = form
            answer = STS.format(form["Action"])
        elif url.path == "/token":
            noted["json"] = json.loads(body)
            answer = json.dumps(OIDC)
        else:
            noted["form"] = dict(urllib.parse.parse_qsl(url.query))
            noted["bearer"] = headers["x-amz-sso_bearer_token"]
            answer = json.dumps(PORTAL)
        if "authorization" in headers:
            noted["signed_by"] = headers["authorization"].split("Credential=")[1].split(",")[0].split("/")[0]
            noted["scope"] = headers["authorization"].split("Credential=")[1].split(",")[0].split("/")[2:]
            noted["session_token"] = headers.get("x-amz-security-token")
        self.asked.append(noted)
        return AWSResponse(request.url, 200, {"content-type": "text/plain"}, Raw(answer.encode()))


def outcome(case):
    """What botocore does: what it asks, and whose keys it finds."""
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        for name in ("config", "credentials"):
            path = home / ".aws" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(case[name].replace("{home}", str(home)))
        (home / "token").write_text("token-of-the-cluster")
        cache = home / ".aws/sso/cache"
        cache.mkdir(parents=True)
        for stem, held in case["sso"].items():
            (cache / f"{stem}.json").write_text(json.dumps(held))
        environment = {name: value.replace("{home}", str(home)) for name, value in case["env"].items()}
        environment |= {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": REGION}
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(cache)),
            mock.patch.object(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(cache)),
        ):
            services = Services()
            session = botocore.session.Session(profile=case["profile"])
            session.register("before-send", services)
            try:
                found = session.get_credentials()
                found = found and found.get_frozen_credentials()
            except BotoCoreError:
                found = None
            keys = found and [found.access_key, found.secret_key, found.token]
            return {"asked": services.asked if keys else [], "keys": keys}


def cases():
    lines = (json.dumps({**case, **outcome(case)}, sort_keys=True) for case in CASES)
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(cases(), encoding="utf-8")
