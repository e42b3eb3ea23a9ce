"""A schema from a client to a provider of the same API that has none: it is told or asked for in another way, and not sent unread."""

import json

import anthropic
import openai
import pytest

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
QUESTION = [{"role": "user", "content": "a number"}]


def serve(ringway, provider, **at):
    return ringway(providers={"a": {"at": provider, **at}}, models={"model": ["a/sim-small"], "any/*": ["a/*"]})


@pytest.mark.parametrize("model", ["model", "any/sim-small"])
def test_a_chat_client_s_is_told_where_nobody_enforces_it(ringway, provider, model):
    gateway = serve(ringway, provider, kind="deepseek")
    form = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA, "strict": True}}
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        client.chat.completions.create(model=model, messages=QUESTION, response_format=form)
        sent = provider.last_request().json
        assert sent["response_format"] == {"type": "json_object"}
        assert '"additionalProperties"' in sent["messages"][0]["content"] and sent["messages"][1:] == QUESTION
        # What it has goes on as it came, an unknown member among it.
        form = {"type": "json_object"}
        client.chat.completions.create(
            model=model, messages=QUESTION, response_format=form, extra_body={"of_its_own": 1}
        )
        sent = provider.last_request().json
        assert sent["response_format"] == form and sent["of_its_own"] == 1 and sent["messages"] == QUESTION


def test_a_client_of_anthropic_s_api_has_it_by_a_tool(ringway, provider):
    gateway = serve(ringway, provider, kind="deepseek", dialect="anthropic")
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        answer = client.messages.create(model="model", max_tokens=500, messages=QUESTION, output_config=form)
    sent = provider.last_request().json
    assert "output_config" not in sent and sent["tool_choice"]["type"] == "tool"
    assert json.loads(answer.content[0].text) == {"n": 1} and answer.stop_reason == "end_turn"
