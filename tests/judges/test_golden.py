"""Every request in the golden folders is one that the provider's own client would have sent.

A folder that does not begin with `_` is a provider's or a dialect's. Each must have a request at least, or nothing of it would be judged.
"""

import json
from pathlib import Path

import pytest

from judges import judge

GOLDEN = Path(__file__).parent.parent / "golden"
FOLDERS = sorted(path for path in GOLDEN.iterdir() if path.is_dir() and not path.name.startswith("_"))
REQUESTS = sorted(path for folder in FOLDERS for path in folder.glob("*/upstream_request.http"))


def parts_of(text):
    """Path and body of a request that is written as on the wire."""
    head, _, body = text.partition("\n\n")
    _, path, _ = head.split("\n", 1)[0].split(" ")
    return path, json.loads(body)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_folder_has_a_request(folder):
    assert any(folder.glob("*/upstream_request.http"))


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_the_provider_would_take_it(path):
    line, body = parts_of(path.read_text())
    assert judge.provider_request(path.parent.parent.name, line, body) == []


def test_a_request_on_the_wire_is_read_and_judged():
    wire = 'POST /v1/chat/completions HTTP/1.1\ncontent-type: application/json\n\n{"model": "m", "messages": [], "thinking": {}}\n'
    path, body = parts_of(wire)
    assert judge.provider_request("deepseek", path, body) == []
    assert judge.provider_request("openai", path, body) == [
        "$: thinking is unknown (CompletionCreateParamsNonStreaming)"
    ]
    assert judge.provider_request("openai", "/v1/chat", body) == ["/v1/chat is no path of any dialect"]
    assert judge.provider_request("mistral", path, body) == ["$: thinking is unknown (ChatCompletionRequest)"]
