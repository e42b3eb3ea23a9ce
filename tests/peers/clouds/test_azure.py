"""Azure's older form of OpenAI's API, which has deployments in its paths and a version in its queries.

The judge of what we send is OpenAI's own client for Azure, which is given the same request by the same server.
"""

import json
import urllib.parse

import anthropic
import openai
import pytest

VERSION = "2025-04-01-preview"
KEY = "key-of-azure-0123456789"
MESSAGES = [{"role": "user", "content": "hello there"}]
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Grüße", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
# Azure's own: what the filters say of the prompt comes first, in a chunk without a choice.
FILTERED = {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5"}
CHUNKS = [
    {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [FILTERED]},
    CHUNK | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Grüße"}, "finish_reason": None}]},
    CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    CHUNK | {"choices": [], "usage": CHAT["usage"]},
]
ANSWERS = {
    "chat/completions": CHAT,
    "embeddings": {
        "object": "list",
        "model": "e",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    "images/generations": {"created": 1, "data": [{"b64_json": "aGk="}]},
    "audio/transcriptions": {"text": "hello"},
    "responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-5",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    },
}


class Azure:
    def __init__(self, serve):
        self.asked = []
        self.shown = ("api-key", KEY)
        self.reply = None
        self.url = f"http://127.0.0.1:{serve(self.answer)}"

    def answer(self, path, headers, body):
        name, value = self.shown
        if headers[name] != value:
            return 401, "application/json", b'{"error":{"code":"401","message":"Access denied"}}'
        is_json = headers["content-type"] == "application/json"
        self.asked.append((path, json.loads(body) if is_json else None))
        if self.reply:
            return self.reply
        if is_json and json.loads(body).get("stream"):
            events = [f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS]
            return 200, "text/event-stream", "".join([*events, "data: [DONE]\n\n"]).encode()
        if "/audio/speech?" in path:
            return 200, "audio/mpeg", b"\xff\xfbsound"
        endpoint = next(name for name in ANSWERS if f"/{name}?" in path)
        return 200, "application/json", json.dumps(ANSWERS[endpoint]).encode()


@pytest.fixture
def azure(serve):
    return Azure(serve)


@pytest.fixture
def start(ringway, azure):
    def start(**more):
        account = {"kind": "azure", "credential": KEY, "base_url": azure.url, **more}
        return ringway(providers={"a": account}, models={"model": ["a/our-gpt"], "any/*": ["a/*"]})

    return start


@pytest.fixture
def gateway(start):
    return start(api_version=VERSION)


@pytest.fixture
def through(gateway):
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def directly(azure):
    with openai.AzureOpenAI(azure_endpoint=azure.url, api_version=VERSION, api_key=KEY, max_retries=0) as client:
        yield client


CALLS = {
    "chat": lambda client, model: client.chat.completions.create(model=model, messages=MESSAGES),
    "embeddings": lambda client, model: client.embeddings.create(model=model, input="a", encoding_format="float"),
    "images": lambda client, model: client.images.generate(model=model, prompt="a"),
    "speech": lambda client, model: client.audio.speech.create(model=model, voice="alloy", input="a").read(),
    "transcription": lambda client, model: client.audio.transcriptions.create(model=model, file=("a.wav", b"RIFF")),
    "responses": lambda client, model: client.responses.create(model=model, input="a"),
}


def test_requests_are_those_of_azure_s_own_client(azure, through, directly):
    for name, call in CALLS.items():
        azure.asked.clear()
        ours, its = call(through, "model"), call(directly, "our-gpt")
        if name == "transcription":
            assert ours.text == its.text == "hello"
        elif name == "speech":
            assert ours == its == b"\xff\xfbsound"
        else:
            # A response that is kept has an id of its client's own.
            unnamed = {"id"} if name == "responses" else set()
            assert ours.model_dump(exclude=unnamed) == its.model_dump(exclude=unnamed), name
        assert azure.asked[0] == azure.asked[1], name
    # A name that would leave its segment stays in it.
    call = CALLS["chat"]
    call(through, "any/../x?y=1#z")
    path, body = azure.asked[-1]
    name = urllib.parse.quote("../x?y=1#z", safe="")
    assert path == f"/openai/deployments/{name}/chat/completions?api-version={VERSION}"
    assert body["model"] == "../x?y=1#z"


def test_streams_and_other_apis(azure, through, gateway):
    chunks = list(through.chat.completions.create(model="model", messages=MESSAGES, stream=True))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "Grüße"
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        ask = {"model": "model", "max_tokens": 9, "messages": MESSAGES}
        assert client.messages.create(**ask).content[0].text == "Grüße"
        with client.messages.stream(**ask) as stream:
            assert stream.get_final_message().content[0].text == "Grüße"
    assert {path for path, _ in azure.asked} == {f"/openai/deployments/our-gpt/chat/completions?api-version={VERSION}"}


def test_errors_keep_what_azure_says(azure, through, gateway):
    refusal = {
        "message": "The response was filtered.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
    }
    azure.reply = (400, "application/json", json.dumps({"error": refusal}).encode())
    with pytest.raises(openai.BadRequestError) as error:
        CALLS["chat"](through, "model")
    assert error.value.code == "content_filter" and error.value.body["innererror"]
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client,
        pytest.raises(anthropic.BadRequestError) as error,
    ):
        client.messages.create(model="model", max_tokens=9, messages=MESSAGES)
    assert "filtered" in error.value.message
    missing = {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}
    azure.reply = (404, "application/json", json.dumps(missing).encode())
    with pytest.raises(openai.APIStatusError) as error:
        CALLS["chat"](through, "model")
    # The operator named it.
    assert error.value.status_code >= 500


def test_older_versions_have_no_responses(start, azure):
    gateway = start(api_version="2024-10-21")
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        assert CALLS["responses"](client, "model").output_text == "Grüße"
    assert azure.asked[0][0] == "/openai/deployments/our-gpt/chat/completions?api-version=2024-10-21"


def test_the_newer_form_is_openai_s(start, azure):
    azure.reply = (200, "application/json", json.dumps(CHAT).encode())
    gateway = start()
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        assert CALLS["chat"](client, "model").choices[0].message.content == "Grüße"
    assert azure.asked == [("/openai/v1/chat/completions", {"model": "our-gpt", "messages": MESSAGES})]


def test_a_token_of_entra_is_shown_instead_of_a_key(ringway, azure, serve):
    forms = []

    def answer(path, headers, body):
        assert path == "/our-tenant/oauth2/v2.0/token"
        forms.append(dict(urllib.parse.parse_qsl(body.decode())))
        token = {"token_type": "Bearer", "expires_in": 3599, "access_token": "eyJ.of.a-test"}
        return 200, "application/json", json.dumps(token).encode()

    azure.shown = ("authorization", "Bearer eyJ.of.a-test")
    program = {"AZURE_TENANT_ID": "our-tenant", "AZURE_CLIENT_ID": "us", "AZURE_CLIENT_SECRET": "secret-of-ours"}
    for more in ({}, {"api_version": VERSION}):
        account = {"kind": "azure", "credential": None, "base_url": azure.url, "entra": True, **more}
        azure.reply = (200, "application/json", json.dumps(CHAT).encode())
        gateway = ringway(
            providers={"a": account},
            models={"model": ["a/our-gpt"]},
            environment={"AZURE_AUTHORITY_HOST": f"http://127.0.0.1:{serve(answer)}", **program},
        )
        with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
            for _ in range(2):
                assert CALLS["chat"](client, "model").choices[0].message.content == "Grüße"
            azure.reply = None
            assert more == {} or CALLS["transcription"](client, "model").text == "hello"
    assert len(forms) == 2
    assert forms[0] == {
        "grant_type": "client_credentials",
        "client_id": "us",
        "client_secret": "secret-of-ours",
        "scope": "https://cognitiveservices.azure.com/.default",
    }
