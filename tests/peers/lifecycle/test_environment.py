"""A start with nothing but a provider's key in the environment, and starts that are refused."""

import json
import re

import pytest

from harness.children import free_port
from harness.control import ask, connect
from peers.lifecycle.client import MESSAGES

KEY = "sk-canary-of-the-environment"


def request(origin, key, host=None, method="POST", path="/v1/chat/completions"):
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    if host:
        headers["Host"] = host
    body = json.dumps({"model": "gpt-4o", "messages": MESSAGES}) if method == "POST" else None
    status, _, answer = ask(connect(origin), method, path, body, headers)
    return status, json.loads(answer)


def test_a_key_in_the_environment_is_enough(serve, simulate, driver):
    simulator = simulate(script=f'require_key = "{KEY}"\n')
    port = free_port()
    arguments = ["--listen", f"127.0.0.1:{port}", "--admin", "none", "--driver", driver]
    served = serve(arguments, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": simulator.endpoint}).wait_ready()
    key = served.printed("key:")
    assert re.fullmatch(r"rw-[\w-]{43}", key)
    assert f"http://127.0.0.1:{port}/v1" in served.child.stderr
    origin = f"http://127.0.0.1:{port}"
    status, answer = request(origin, key)
    assert status == 200 and answer["choices"][0]["message"]["content"]
    # Not without that key, and not for a page that has made its own name point here.
    assert request(origin, None)[0] == 401
    assert request(origin, KEY)[0] == 401
    status, answer = request(origin, key, host=f"evil.example:{port}")
    assert (status, answer["error"]["code"]) == (403, "host_not_allowed")
    assert simulator.stats().requests == 1
    assert served.child.stop() == 0
    printed = served.child.stdout + served.child.stderr
    assert KEY not in printed and printed.count(key) == 1


@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]"])
def test_without_a_configuration_only_this_machine_is_served(serve, simulate, listen):
    arguments = ["--listen", f"{listen}:{free_port()}", "--admin", "none"]
    served = serve(arguments, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": simulate().endpoint})
    assert served.child.wait() == 1
    assert "other machines" in served.child.stderr and KEY not in served.child.stderr


def test_nothing_to_serve(serve):
    served = serve(["--admin", "none"])
    assert served.child.wait() == 1
    assert "OPENAI_API_KEY" in served.child.stderr


CONFIGURATION = """
[server]
listen = ["{listen}"]
{server}
[admin]
listen = "none"
[providers.a]
kind = "openai"
credential = "${{env:OPENAI_API_KEY}}"
base_url = "{endpoint}"
[[models]]
name = "m"
deployments = ["a/m"]
"""


@pytest.mark.parametrize("server", ["", "open_access = true"])
def test_strangers_need_a_key(serve, simulate, tmp_path, server):
    """An address that others can reach is not served without a single key, asked for or not."""
    path = tmp_path / "ringway.toml"
    listen = f"0.0.0.0:{free_port()}"
    path.write_text(CONFIGURATION.format(listen=listen, server=server, endpoint=simulate().endpoint))
    served = serve(["--config", path], {"OPENAI_API_KEY": KEY})
    assert served.child.wait() == 1
    assert "error" in served.child.stderr and listen in served.child.stderr


def test_an_admin_listener_for_strangers_is_refused(serve, simulate):
    arguments = ["--listen", f"127.0.0.1:{free_port()}", "--admin", f"0.0.0.0:{free_port()}"]
    served = serve(arguments, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": simulate().endpoint})
    assert served.child.wait() == 1
