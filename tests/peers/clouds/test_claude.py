"""Claude at Google's cloud and at AWS, asked in Anthropic's own API.

The judge of what we send is Anthropic's own client for each cloud: it is given the same request, by the same server. What clients get
back is judged by the same: the answers are golden ones, and come to the same messages and events whichever way they come.
"""

import json
import urllib.parse
import urllib.request
from pathlib import Path

import anthropic
import openai
import pytest

ROOT = Path(__file__).parents[3]
ANSWERS = ROOT / "tests/golden/_answers"
ELSEWHERE = ANSWERS / "anthropic_elsewhere"
REQUESTS = sorted((ROOT / "tests/golden/_requests/anthropic_messages").glob("*.json"))
AT_GOOGLE, AT_AWS = "claude-opus-4-8@20260301", "eu.anthropic.claude-opus-4-8-v1:0"
ASK = {"model": "model", "max_tokens": 50, "messages": [{"role": "user", "content": "hello there"}]}
JSON, EVENTS, FRAMES = "application/json", "text/event-stream", "application/vnd.amazon.eventstream"
# Besides the clients' own.
VARYING = {
    "host",
    "connection",
    "content-length",
    "authorization",
    "user-agent",
    "accept",
    "accept-encoding",
    "x-amz-date",
}


class Cloud:
    """One of the clouds, and two clients of Anthropic's: one that asks it through Ringway, one of the cloud's own."""

    def __init__(self, name, serve, aws):
        self.name = name
        self.asked = []
        self.bodies = []
        self.reply = None
        self.is_signed = aws.is_signed
        self.port = serve(self.answer)
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, path, headers, body):
        if self.name == "aws" and not self.is_signed(path, headers, body, self.port) and self.is_ours(headers):
            return 403, JSON, b'{"message":"The request signature we calculated does not match"}'
        headers = {name.lower(): value for name, value in headers.items()}
        self.asked.append((path, headers, json.loads(body)))
        self.bodies.append(body.decode())
        if self.reply:
            return self.reply
        if path.endswith("/models/count-tokens:rawPredict"):
            return 200, JSON, b'{"input_tokens":7}'
        if path.endswith(":streamRawPredict"):
            return 200, EVENTS, (ELSEWHERE / "stream_text.sse").read_bytes()
        if path.endswith("/invoke-with-response-stream"):
            return 200, FRAMES, (ELSEWHERE / "of_bedrock_stream_text.bin").read_bytes()
        return 200, JSON, (ELSEWHERE / "text.json").read_bytes()

    @staticmethod
    def is_ours(headers):
        return headers["user-agent"].startswith("ringway/")

    def replies(self, file, status=200, headers=None):
        path = ANSWERS / file
        kind = {".bin": FRAMES, ".sse": EVENTS, ".json": JSON}[path.suffix]
        self.reply = (status, kind, path.read_bytes(), headers or {})


@pytest.fixture(params=["google", "aws"])
def cloud(request, serve, aws):
    return Cloud(request.param, serve, aws)


@pytest.fixture
def gateway(ringway, cloud, aws, google):
    if cloud.name == "aws":
        account, model = aws.account(cloud.port), AT_AWS
    else:
        account = {"kind": "vertex", "project": "test", "location": "europe-west4", "base_url": cloud.url}
        account |= {"credential": None, "service_account_file": google.file}
        model = AT_GOOGLE
    # The second name passes clients' names of models through.
    return ringway(providers={"a": account}, models={"model": [f"a/{model}"], "any/*": ["a/*"]})


@pytest.fixture
def through(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def directly(cloud, aws):
    if cloud.name == "aws":
        keys = aws.keys
        client = anthropic.AnthropicBedrock(
            aws_access_key=keys["access_key_id"],
            aws_secret_key=keys["secret_access_key"],
            aws_session_token=keys["session_token"],
            aws_region="eu-central-1",
            base_url=cloud.url,
            max_retries=0,
        )
    else:
        client = anthropic.AnthropicVertex(
            region="europe-west4", project_id="test", access_token="x", base_url=f"{cloud.url}/v1", max_retries=0
        )
    with client:
        yield client


def own_name(cloud):
    return AT_AWS if cloud.name == "aws" else AT_GOOGLE


def test_requests_are_those_of_the_cloud_s_own_client(cloud, through, directly):
    betas = {"anthropic-beta": "context-1m-2025-08-07,another-2026-01-01"}
    assert len(REQUESTS) > 40
    for file in REQUESTS:
        body = json.loads(file.read_text())
        for headers in ({}, betas):
            cloud.asked.clear()
            for client, model in ((through, "model"), (directly, own_name(cloud))):
                post(client, body | {"model": model}, headers)
            (path, headers_sent, ours), (its_path, its_headers, its) = cloud.asked
            assert urllib.parse.unquote(path) == urllib.parse.unquote(its_path), file.name
            assert ours == its, file.name
            if cloud.name == "google":
                assert headers_sent.get("anthropic-beta") == its_headers.get("anthropic-beta"), file.name
            # Nothing else of Anthropic's, and nothing of the client's, goes to the cloud.
            assert set(headers_sent) - VARYING - set(its_headers) <= {"x-amz-security-token"}, file.name


def post(client, body, headers):
    """A request as it is given, past the client's own idea of one."""
    is_stream = body.get("stream", False)
    stream = {"stream": True, "stream_cls": anthropic.Stream[object]} if is_stream else {}
    got = client.post("/v1/messages", cast_to=object, body=body, options={"headers": headers}, **stream)
    if is_stream:
        got.close()


def test_the_body_is_the_client_s_but_for_what_the_cloud_has_a_say_in(cloud, gateway):
    """Byte for byte: prompts are found again in caches by their bytes."""
    text = '{ "max_tokens":5 ,"model":"model","messages":[{"role":"user","content":"\\u0041 b"}], "stop_sequences" : ["x"] }'
    request = urllib.request.Request(
        f"{gateway.url}/v1/messages", text.encode(), {"content-type": "application/json", "x-api-key": gateway.key}
    )
    with urllib.request.urlopen(request) as reply:
        assert json.load(reply)["content"]
    version = "bedrock-2023-05-31" if cloud.name == "aws" else "vertex-2023-10-16"
    kept = ' "max_tokens":5 ,"messages":[{"role":"user","content":"\\u0041 b"}], "stop_sequences" : ["x"] }'
    assert cloud.bodies == [f'{{"anthropic_version":"{version}",{kept}']


def test_answers_are_those_of_the_cloud_s_own_client(cloud, through, directly):
    answer = through.messages.create(**ASK)
    assert answer.content[0].text == "Hello from Paris, Grüße!" and answer.stop_reason == "end_turn"
    assert answer.to_dict() == directly.messages.create(**ASK | {"model": own_name(cloud)}).to_dict()
    events = [event.to_dict() for event in through.messages.create(**ASK, stream=True)]
    assert events == [
        event.to_dict() for event in directly.messages.create(**ASK | {"model": own_name(cloud)}, stream=True)
    ]
    assert events[-1]["type"] == "message_stop"
    with through.messages.stream(**ASK) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == "Hello from Paris, Grüße!" and message.usage.output_tokens == 9


def test_tools_are_called_through_streams(cloud, through, gateway):
    cloud.replies(
        "anthropic_elsewhere/of_bedrock_stream_parallel_tools.bin"
        if cloud.name == "aws"
        else "anthropic_messages/stream_parallel_tools.sse"
    )
    with through.messages.stream(**ASK) as stream:
        calls = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["get_weather", "get_time"] and calls[0].input == {"city": "Paris"}
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        chunks = list(client.chat.completions.create(model="model", messages=ASK["messages"], stream=True))
    deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    arguments = ["".join(call.function.arguments or "" for call in deltas if call.index == index) for index in (0, 1)]
    assert [call.function.name for call in deltas if call.id] == ["get_weather", "get_time"]
    assert json.loads(arguments[0]) == {"city": "Paris"}


def test_clients_of_other_apis_are_served(cloud, gateway):
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        ask = {"model": "model", "messages": [{"role": "user", "content": "hello there"}], "stop": ["x"]}
        answer = client.chat.completions.create(**ask)
        assert answer.choices[0].message.content == "Hello from Paris, Grüße!" and answer.usage.total_tokens == 21
        chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert said == "Hello from Paris, Grüße!" and chunks[-1].usage.total_tokens == 21
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}).encode()
    url = f"{gateway.url}/v1beta/models/model:generateContent"
    request = urllib.request.Request(url, body, {"content-type": JSON, "x-goog-api-key": gateway.key})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["candidates"][0]["content"]["parts"][0]["text"] == "Hello from Paris, Grüße!"
    version = "bedrock-2023-05-31" if cloud.name == "aws" else "vertex-2023-10-16"
    for path, headers, body in cloud.asked:
        assert body["anthropic_version"] == version and "model" not in body
        assert body["messages"] == [{"role": "user", "content": "hello there"}]
        assert ("stream" in body) == path.endswith(":streamRawPredict")
        assert "anthropic-version" not in headers
    assert cloud.asked[0][2]["stop_sequences"] == ["x"]


def test_a_model_that_the_client_names_is_known_by_its_name(cloud, through):
    through.messages.create(**ASK | {"model": f"any/{own_name(cloud)}"})
    (path, _, _), *_ = cloud.asked
    assert own_name(cloud) in urllib.parse.unquote(path) and path.endswith((":rawPredict", "/invoke"))


def test_thoughts_of_another_provider_do_not_reach_claude(cloud, through):
    thought = {"type": "thinking", "thinking": "hm", "signature": "ringway:gemini:c2lnbmVk"}
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]
    betas = {"anthropic-beta": "x-2026-01-01"}
    answer = through.messages.create(**ASK | {"messages": turns}, extra_headers=betas)
    assert answer.content[0].text == "Hello from Paris, Grüße!"
    ((_, headers, body),) = cloud.asked
    assert "ringway:" not in json.dumps(body) and "model" not in body and body["anthropic_version"]
    assert "x-2026-01-01" in (headers.get("anthropic-beta"), *body.get("anthropic_beta", []))


def test_errors_in_the_client_s_own_words(cloud, through):
    said = "required key [max_tokens] not found" if cloud.name == "aws" else ""
    invalid = {"aws": "of_bedrock_error_invalid.json", "google": "of_vertex_error_invalid.json"}[cloud.name]
    name = {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/"} if cloud.name == "aws" else {}
    cloud.replies(f"anthropic_elsewhere/{invalid}", 400, name)
    with pytest.raises(anthropic.BadRequestError) as error:
        through.messages.create(**ASK)
    assert error.value.body["error"]["type"] == "invalid_request_error" and said in error.value.body["error"]["message"]
    if cloud.name == "aws":
        cloud.replies(f"anthropic_elsewhere/{invalid}", 400, {"x-amzn-errortype": "ThrottlingException"})
    else:
        cloud.replies("anthropic_elsewhere/of_vertex_error_rate_limit.json", 429)
    with pytest.raises(anthropic.RateLimitError):
        through.messages.create(**ASK, stream=True)


def test_what_the_operator_has_to_mend_is_not_the_client_s_key(cloud, through):
    cloud.reply = (403, JSON, b'{"message":"not you"}', {"x-amzn-errortype": "AccessDeniedException"})
    with pytest.raises(anthropic.APIStatusError) as error:
        through.messages.create(**ASK)
    assert error.value.status_code >= 500


def test_a_stream_that_breaks_is_an_error(cloud, through, gateway):
    broken = {
        "aws": ["anthropic_elsewhere/of_bedrock_stream_error.bin", "anthropic_elsewhere/of_bedrock_stream_cut.bin"],
        "google": ["anthropic_messages/stream_error.sse", "anthropic_messages/stream_cut.sse"],
    }
    for file in broken[cloud.name]:
        cloud.replies(file)
        said = []
        with pytest.raises(anthropic.APIError):
            for event in through.messages.create(**ASK, stream=True):
                said.append(event.type)
        assert "content_block_delta" in said and "message_stop" not in said
        with (
            openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client,
            pytest.raises(openai.APIError),
        ):
            list(client.chat.completions.create(model="model", messages=ASK["messages"], stream=True))


def test_tokens_are_counted_where_the_cloud_counts_them(cloud, through, directly):
    ask = {"model": "model", "messages": ASK["messages"]}
    if cloud.name == "aws":
        estimated = through.messages.with_raw_response.count_tokens(**ask)
        assert estimated.parse().input_tokens > 0 and estimated.headers["x-ringway-estimated"] == "tokens"
        assert cloud.asked == []
        return
    assert through.messages.count_tokens(**ask).input_tokens == 7
    directly.messages.count_tokens(**ask | {"model": own_name(cloud)})
    (path, _, ours), (its_path, _, its) = cloud.asked
    assert (path, ours) == (its_path, its)


def test_older_models_at_aws_are_asked_by_the_older_version(ringway, serve, aws):
    """The client's own version is one that Bedrock has for later models only."""
    cloud = Cloud("aws", serve, aws)
    model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    gateway = ringway(providers={"a": aws.account(cloud.port)}, models={"model": [f"a/{model}"]})
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        client.messages.create(**ASK)
    ((_, _, body),) = cloud.asked
    assert body["anthropic_version"] == "bedrock-2023-05-31"
