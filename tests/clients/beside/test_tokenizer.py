"""Tokens by a tokenizer, where the configuration asks for one: exact numbers, told to clients and written down. Where it does not ask there
is nothing."""

import json
from pathlib import Path

import pytest

from harness.control import ask, connect
from harness.pairs import served_by

# Text, and how many tokens OpenAI's own library makes of it by o200k_base.
KNOWN = {
    "Hello, world!": 4,
    "Привет, как дела? Сегодня хорошая погода.": 12,
    "你好，世界": 3,
    "こんにちは世界、お元気ですか": 7,
    "🦀🎉👨\u200d👩\u200d👧\u200d👦": 16,
    'fn main() { println!("{}", 1 + 1); }\n\n\t// x': 16,
}
# Around one message of a user: three for it, one for the role, three for the answer.
AROUND = 7
SAID = "你好，世界 Hello, world!"
SAID_TOKENS = 7


@pytest.fixture
def provider(simulate):
    return simulate("provider", script=f"[[rule]]\nanswer = {{ text = {json.dumps(SAID, ensure_ascii=False)} }}\n")


@pytest.fixture
def gateway(ringway, provider, kind):
    return ringway(**served_by(provider, kind), server={"tokenizer": "o200k_base"})


@pytest.fixture
def counts(kind):
    return not kind.startswith("openai")


def threads(gateway):
    return {path.read_text().strip() for path in Path(f"/proc/{gateway.child.pid}/task").glob("*/comm")}


def test_clients_of_anthropic_s_get_exact_counts(of_anthropic, counts):
    for text, tokens in {} if counts else KNOWN.items():
        raw = of_anthropic.messages.with_raw_response.count_tokens(
            model="model", messages=[{"role": "user", "content": text}]
        )
        assert raw.parse().input_tokens == tokens + AROUND, text
        assert raw.headers["x-ringway-estimated"] == "tokens"


def test_clients_of_google_s_get_exact_counts(of_google, counts):
    for text, tokens in {} if counts else KNOWN.items():
        assert of_google.models.count_tokens(model="model", contents=text).total_tokens == tokens + AROUND, text


def test_escapes_in_a_body_are_no_text(post, counts):
    body = {"model": "model", "messages": [{"role": "user", "content": "你好，世界"}]}
    assert "\\u4f60" in json.dumps(body)
    status, _, answer = post("/v1/messages/count_tokens", body)
    assert status == 200 and (counts or answer == {"input_tokens": 3 + AROUND})


def test_what_is_too_long_is_estimated_by_its_bytes(post, gateway, counts):
    text = "x" * 80 + " "
    body = {"model": "model", "messages": [{"role": "user", "content": text * (1_200_000 // len(text))}]}
    status, headers, answer = post("/v1/messages/count_tokens", body)
    assert status == 200
    if not counts:
        assert answer["input_tokens"] == -(-len(json.dumps(body)) // 4)
        assert headers["x-ringway-estimated"] == "tokens"


def test_usage_that_a_provider_does_not_tell_is_counted(gateway, kind, provider, of_openai):
    provider.script(f'[[rule]]\nfault = "no_usage"\nanswer = {{ text = {json.dumps(SAID, ensure_ascii=False)} }}\n')
    for text, tokens in KNOWN.items():
        answer = of_openai.chat.completions.with_raw_response.create(
            model="model", messages=[{"role": "user", "content": text}]
        )
        assert answer.parse().choices[0].message.content == SAID
        request_id = answer.headers["x-request-id"]
        line = gateway.wait_log("its record", lambda line, wanted=request_id: line["request_id"] == wanted)
        assert line["estimated"] is True
        assert (line["input_tokens"], line["output_tokens"]) == (tokens + AROUND, SAID_TOKENS), text
        if not kind.startswith("openai"):
            told = answer.parse().usage
            assert answer.headers["x-ringway-estimated"] == "usage"
            assert (told.prompt_tokens, told.completion_tokens) == (tokens + AROUND, SAID_TOKENS), text


def test_the_prompt_of_a_stream_is_counted_and_what_it_says_is_estimated(gateway, provider, of_openai):
    provider.script(f'[[rule]]\nfault = "no_usage"\nanswer = {{ text = {json.dumps(SAID, ensure_ascii=False)} }}\n')
    messages = [{"role": "user", "content": "Hello, world!"}]
    assert list(of_openai.chat.completions.create(model="model", messages=messages, stream=True))
    line = gateway.wait_log("its record", lambda line: line["streamed"])
    assert line["estimated"] is True and line["input_tokens"] == 4 + AROUND and line["output_tokens"] > 0


def test_what_a_provider_counts_stays_as_it_is(gateway, of_openai):
    answer = of_openai.chat.completions.create(model="model", messages=[{"role": "user", "content": "hello"}])
    line = gateway.wait_log("its record", lambda _: True)
    assert "estimated" not in line
    assert (line["input_tokens"], line["output_tokens"]) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)


@pytest.mark.parametrize("kind", ["openai-compatible"])
def test_nothing_is_there_unless_it_is_asked_for(ringway, provider, kind):
    plain = ringway(**served_by(provider, kind))
    counting = ringway(**served_by(provider, kind), server={"tokenizer": "o200k_base"})
    assert "ringway-tokens" not in threads(plain) and "ringway-tokens" in threads(counting)
    assert counting.resident_bytes() - plain.resident_bytes() > 8 << 20
    # A reload brings one, for one model alone.
    plain.config.models["model"] = {"deployments": ["a/sim-small"], "tokenizer": "cl100k_base"}
    plain.write_config()
    assert plain.reload()
    assert "ringway-tokens" in threads(plain) and "cl100k_base is ready" in plain.child.stderr
    counted = {}
    for model in ("model", "bigger"):
        body = {"model": model, "messages": [{"role": "user", "content": "你好，世界"}]}
        headers = {"x-api-key": plain.key, "content-type": "application/json"}
        text = json.dumps(body).encode()
        _, _, answer = ask(connect(plain.url), "POST", "/v1/messages/count_tokens", text, headers)
        counted[model] = json.loads(answer)["input_tokens"]
    assert counted == {"model": 6 + AROUND, "bigger": -(-len(text) // 4)}
