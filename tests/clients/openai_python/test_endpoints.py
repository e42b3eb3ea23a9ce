"""Every endpoint through the SDK's own types: what a program gets that changed nothing but its base URL."""

import io
import json

import openai
import pydantic
import pytest

from harness.control import ask
from harness.control import connect as control

ASK = [{"role": "user", "content": "Name three rivers."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


def test_create(client):
    answer = client.chat.completions.create(model="sim-small", messages=ASK)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_unknown_members_and_text_reach_the_provider_as_they_were(client, provider):
    content = 'Größe "quoted" \\ \n\t \u2028 😀 </script>'
    client.chat.completions.create(
        model="sim-small",
        messages=[{"role": "user", "content": content}],
        metadata={"run": "1"},
        extra_body={"a_member_of_tomorrow": {"deep": [1, 2.50, None]}},
    )
    seen = provider.last_request().json
    assert seen["messages"][0]["content"] == content
    assert seen["a_member_of_tomorrow"] == {"deep": [1, 2.5, None]}
    assert seen["metadata"] == {"run": "1"}


def test_raw_answer_names_its_request(client):
    raw = client.chat.completions.with_raw_response.create(model="sim-small", messages=ASK)
    assert raw.headers["x-request-id"]
    assert raw.headers["content-type"].startswith("application/json")


def test_stream_says_what_the_whole_answer_says(client):
    whole = client.chat.completions.create(model="sim-small", messages=ASK)
    chunks = list(client.chat.completions.create(model="sim-small", messages=ASK, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client):
    whole = client.chat.completions.create(model="sim-small", messages=ASK)
    chunks = list(
        client.chat.completions.create(
            model="sim-small", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.gateway_only
def test_usage_is_counted_but_not_shown_when_it_was_not_asked_for(client, provider, gateway):
    chunks = list(client.chat.completions.create(model="sim-small", messages=ASK, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert provider.last_request().json["stream_options"] == {"include_usage": True}
    line = gateway.wait_log("the stream", lambda line: line["streamed"])
    assert line["output_tokens"] > 0 and line["input_tokens"] > 0


@pytest.mark.gateway_only
def test_a_model_may_have_another_name_here(client, provider):
    answer = client.chat.completions.create(model="alias", messages=ASK)
    assert answer.choices[0].message.content
    assert provider.last_request().json["model"] == "sim-large"


def test_tools(client):
    answer = client.chat.completions.create(model="sim-small", messages=ASK, tools=[WEATHER])
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "weather"
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    loop = [*ASK, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    after = client.chat.completions.create(model="sim-small", messages=loop, tools=[WEATHER])
    assert after.choices[0].finish_reason == "stop"


def test_tools_streamed(client):
    two = [WEATHER, {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]
    with client.chat.completions.stream(model="sim-small", messages=ASK, tools=two, parallel_tool_calls=True) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert "tool_calls.function.arguments.delta" in kinds
    assert [call.function.name for call in calls] == ["weather", "now"]
    assert set(json.loads(calls[0].function.arguments)) == {"city", "days"}


class River(pydantic.BaseModel):
    name: str
    length_km: int
    tributaries: list[str]


def test_parse(client):
    answer = client.chat.completions.parse(model="sim-small", messages=ASK, response_format=River)
    assert isinstance(answer.choices[0].message.parsed, River)


def test_parse_streamed(client):
    with client.chat.completions.stream(model="sim-small", messages=ASK, response_format=River) as stream:
        stream.until_done()
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, River)


def test_embeddings_are_the_same_in_both_encodings(client, provider):
    by_default = client.embeddings.create(model="sim-embedding", input=["one", "two"])
    assert provider.last_request().json["encoding_format"] == "base64"
    as_floats = client.embeddings.create(model="sim-embedding", input=["one", "two"], encoding_format="float")
    assert len(by_default.data) == 2
    for a, b in zip(by_default.data, as_floats.data):
        assert a.index == b.index
        assert a.embedding == pytest.approx(b.embedding, abs=1e-6)


@pytest.mark.gateway_only
def test_models(client):
    ids = {model.id for model in client.models.list()}
    assert {"sim-small", "sim-embedding", "alias"} <= ids
    assert client.models.retrieve("alias").id == "alias"


def test_moderations(client):
    answer = client.moderations.create(model="sim-small", input="Name three rivers.")
    assert len(answer.results) == 1


def test_completions(client):
    whole = client.completions.create(model="sim-small", prompt="Name three rivers.")
    pieces = [
        chunk.choices[0].text
        for chunk in client.completions.create(model="sim-small", prompt="Name three rivers.", stream=True)
        if chunk.choices
    ]
    assert whole.choices[0].text == "".join(pieces) != ""


def test_responses(client):
    whole = client.responses.create(model="sim-small", input="Name three rivers.")
    assert whole.output_text and whole.usage.total_tokens > 0
    events = list(client.responses.create(model="sim-small", input="Name three rivers.", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text


def test_images(client):
    answer = client.images.generate(model="sim-small", prompt="A river", response_format="b64_json")
    assert answer.data[0].b64_json


def test_image_edit_is_multipart(client):
    picture = ("river.png", io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(2000)), "image/png")
    answer = client.images.edit(model="sim-small", image=picture, prompt="A river")
    assert answer.data


def test_transcription_is_multipart_with_the_model_after_the_file(client, provider):
    sound = bytes(range(256)) * 2000
    answer = client.audio.transcriptions.create(model="sim-small", file=("a.wav", sound, "audio/wav"))
    assert answer.text
    assert provider.stats().upload_bytes > len(sound)


def test_speech_is_binary(client):
    sound = client.audio.speech.create(model="sim-small", voice="alloy", input="Name three rivers.").read()
    assert len(sound) > 0
    with client.audio.speech.with_streaming_response.create(
        model="sim-small", voice="alloy", input="Name three rivers."
    ) as streamed:
        assert b"".join(streamed.iter_bytes()) == sound


@pytest.mark.gateway_only
def test_azure_s_client_and_its_paths(gateway, provider):
    """It puts the model into the path, slashes and all, where there is a deployment to name; the rest is below /openai."""
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key=gateway.key, api_version="2024-10-21", max_retries=0
    ) as azure:
        answer = azure.chat.completions.create(model="a/sim-small", messages=ASK)
        assert answer.choices[0].message.content and provider.last_request().json["model"] == "sim-small"
        heard = azure.audio.transcriptions.create(model="a/whisper-1", file=("a.wav", b"x" * 2000))
        assert heard.text and 'name="model"\r\n\r\nwhisper-1\r\n' in provider.last_request().body
        line = gateway.wait_log("of a transcript", lambda line: line["endpoint"] == "audio.transcriptions")
        assert line["input_tokens"] > 0 and line["output_tokens"] > 0
        assert azure.responses.create(model="a/sim-small", input="hello").output_text
        assert "sim-small" in {model.id for model in azure.models.list()}
    # As examples with curl do it: the path alone names the model.
    path = "/openai/deployments/a/whisper-1/audio/transcriptions?api-version=2024-10-21"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n'
    headers = {"api-key": gateway.key, "content-type": "multipart/form-data; boundary=b"}
    status, _, heard = ask(control(gateway.url), "POST", path, part, headers)
    assert status == 200 and json.loads(heard)["text"]
    assert 'name="model"\r\n\r\nwhisper-1\r\n--b\r\n' in provider.last_request().body
