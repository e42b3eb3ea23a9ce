"""The agents for the command line that npm serves, as they come, in front of Ringway with providers of every dialect.

Each is told Ringway's address in its own way and runs without a terminal, in a home and a working folder that are thrown away. The
simulated provider has it use a tool of its own, whose result must be in a later request before the answer is told. What of its requests
the provider cannot be told is known, agent by agent: nothing else may be lost.
"""

import json
import os
import re
import subprocess

import pytest

from harness.children import TARGET
from harness.node import node
from harness.pairs import KINDS
from harness.tap import Tap

# tests/run installs them there and not beside this file: they are a gigabyte.
INSTALLED = TARGET / "test-envs" / "agent_clis"
MODULES = INSTALLED / "node_modules"
# Some ask for what other providers do not have, in each request: web search, `top_k`.
DROP = "x-ringway-unsupported"
# Whatever else they would like to reach is refused at once, on a port that nobody listens on.
NOWHERE = "http://127.0.0.1:9"


class Claude:
    """Anthropic's, which speaks Messages."""

    CALL = {"name": "Read", "arguments": {"file_path": "{folder}/bird.txt"}}
    # Its own API is the one of its requests. Tools that it would load later are there from the beginning.
    LOST = {
        "openai": {"thinking", "tools[].defer_loading", "context_management"},
        "gemini": {"metadata.user_id", "cache_control", "tools[].defer_loading", "context_management"},
    }

    def __init__(self, url, key, home):
        self.environment = {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": key,
            "ANTHROPIC_MODEL": "newest",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "newest",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    def arguments(self, prompt):
        return [MODULES / "@anthropic-ai/claude-code/cli-wrapper.cjs", "--print", prompt, "--allowedTools", "Read"]


class Codex:
    """OpenAI's, which speaks Responses."""

    CALL = {"name": "exec_command", "arguments": {"cmd": "cat bird.txt"}}
    # Hints but for the search, which the provider would run.
    LOST = dict.fromkeys(
        ["openai-compatible", "anthropic", "gemini"], {"web_search", "store", "prompt_cache_key", "client_metadata"}
    )

    def __init__(self, url, key, home):
        self.environment = {"RINGWAY_KEY": key, "CODEX_HOME": str(home)}
        # JSON's strings are TOML's.
        (home / "config.toml").write_text(f"""
model = "newest"
model_provider = "ringway"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
analytics.enabled = false
[model_providers.ringway]
name = "Ringway"
base_url = {json.dumps(url + "/v1")}
env_key = "RINGWAY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
http_headers = {{ {DROP} = "drop" }}
""")

    def arguments(self, prompt):
        return [MODULES / "@openai/codex/bin/codex.js", "exec", "--skip-git-repo-check", prompt]


class Gemini:
    """Google's, which speaks generateContent."""

    CALL = {"name": "read_file", "arguments": {"file_path": "bird.txt"}}
    LOST = {"openai": {"generationConfig.topK"}, "anthropic": {"generationConfig.topK"}}

    def __init__(self, url, key, home):
        self.environment = {
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_API_KEY": key,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "GEMINI_CLI_CUSTOM_HEADERS": f"{DROP}: drop",
        }
        (home / ".gemini").mkdir()
        (home / ".gemini/settings.json").write_text(
            json.dumps(
                {
                    "security": {"auth": {"selectedType": "gemini-api-key"}},
                    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
                    "privacy": {"usageStatisticsEnabled": False},
                }
            )
        )

    def arguments(self, prompt):
        return [MODULES / "@google/gemini-cli/bundle/gemini.js", "--model", "newest", "--yolo", "--prompt", prompt]


# To a provider that has chat completions alone only the way of Responses is another than to OpenAI.
PAIRS = [
    (agent, kind)
    for agent in (Claude, Codex, Gemini)
    for kind in KINDS
    if agent is Codex or kind != "openai-compatible"
]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0].__name__.lower()}-{pair[1]}")
def pair(request):
    return request.param


@pytest.fixture
def kind(pair):
    return pair[1]


@pytest.fixture
def tap(gateway):
    """Between the agent and the gateway."""
    tap = Tap(gateway.url)
    yield tap
    tap.close()


@pytest.fixture
def agent(pair, gateway, tap, tmp_path):
    (tmp_path / "home").mkdir()
    return pair[0](tap.url, gateway.key, tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    """Where the agent works: it finds one file."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "bird.txt").write_text("heron-7f3a\n")
    return folder


def ask(agent, prompt, folder, tmp_path):
    """What it prints."""
    (tmp_path / "tmp").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1",
        **agent.environment,
    }
    command = [node(INSTALLED), *agent.arguments(prompt)]
    run = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    return run.stdout


def lost(tap):
    """What was left out of the requests; tools by their types."""
    lost = set()
    for exchange in tap.exchanges:
        for param in exchange.listed("x-ringway-dropped"):
            place = re.fullmatch(r"tools\[(\d+)\]", param)
            lost.add(json.loads(exchange.body)["tools"][int(place[1])]["type"] if place else re.sub(r"\d+", "", param))
    return lost


def test_a_prompt_is_answered(agent, provider, folder, tmp_path):
    provider.script('answer = { text = "Hello from afar.", calls = [] }')
    assert "Hello from afar." in ask(agent, "Say hello.", folder, tmp_path)
    assert provider.stats().completed > 0


def use(provider, name, arguments, seen):
    """Has the agent call a tool, and go on when something is seen."""
    # A string of JSON within TOML's, as `arguments` may be written.
    call = f"{{ name = {json.dumps(name)}, arguments = {json.dumps(arguments)} }}"
    provider.script(f"""
[[rule]]
match.body = {json.dumps(seen)}
answer = {{ text = "It is a heron.", calls = [] }}
[[rule]]
answer = {{ text = "No tool was there.", calls = [{call}] }}
""")


def test_a_tool_is_used(agent, kind, provider, tap, folder, tmp_path):
    arguments = json.dumps(agent.CALL["arguments"]).replace("{folder}", str(folder))
    use(provider, agent.CALL["name"], arguments, "heron-7f3a")
    assert "It is a heron." in ask(agent, "Which bird is it?", folder, tmp_path)
    assert lost(tap) == agent.LOST.get(kind, set())


# What a tool of a group is called where there are none.
GROUPED = {"openai-compatible": "multi_agent_v1_close_agent", "anthropic": "multi_agent_v1_close_agent"}


@pytest.mark.parametrize("pair", [(Codex, kind) for kind in GROUPED | {"gemini": ""}], ids=lambda pair: pair[1])
def test_a_tool_of_a_group_is_used(agent, kind, provider, tap, folder, tmp_path):
    name = GROUPED.get(kind, "multi_agent_v1.close_agent")
    use(provider, name, json.dumps({"target": "nobody-7f3a"}), "nobody-7f3a")
    assert "It is a heron." in ask(agent, "Close the agent.", folder, tmp_path)
    items = [item for exchange in tap.exchanges for item in json.loads(exchange.body)["input"]]
    (call,) = [item for item in items if item["type"] == "function_call"]
    assert (call["namespace"], call["name"]) == ("multi_agent_v1", "close_agent")
    (result,) = [item for item in items if item["type"] == "function_call_output"]
    # The agent knows the tool, and that there is no such agent.
    assert "unsupported" not in result["output"], result


@pytest.mark.parametrize(
    "pair", [(Claude, kind) for kind in ("openai", "anthropic", "gemini")], ids=lambda pair: pair[1]
)
def test_a_tool_is_found_and_loaded(agent, kind, provider, tap, folder, tmp_path):
    """Claude Code offers some tools by name only; what its search finds is referred to in the search's result."""
    # Its id is in the request after the one that it was called in.
    use(provider, "ToolSearch", json.dumps({"query": "select:WebFetch"}), "select:WebFetch")
    assert "It is a heron." in ask(agent, "Which bird is it?", folder, tmp_path)
    assert [exchange.status for exchange in tap.exchanges if "/messages" in exchange.path] == [200, 200]
    assert b'"tool_reference"' in tap.exchanges[-1].body
    assert lost(tap) == agent.LOST.get(kind, set())
