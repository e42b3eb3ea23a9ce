"""Models that are reached through a cloud: Bedrock by signed requests, Vertex by tokens that are fetched.

Both clouds are servers of the test's own. That of Bedrock has botocore sign what it got once more and compares; its answers are the
golden ones. That of Google gives out one token and answers nobody without it; behind it stands the simulated provider.
"""

import json
import urllib.parse
import urllib.request
from pathlib import Path

import openai
import pytest

ROOT = Path(__file__).parents[3]
ANSWERS = ROOT / "tests/golden/_answers/bedrock_converse"
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASK = {"model": "model", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
def bedrock(serve, aws):
    """What was asked, newest last; `answer` names the golden file that the next request gets."""

    class Bedrock:
        answer = "text.json"
        status = 200
        headers = {}

    bedrock = Bedrock()
    bedrock.asked = []

    def answer(path, headers, body):
        if not aws.is_signed(path, headers, body, bedrock.port):
            return 403, "application/json", b'{"message":"The request signature we calculated does not match"}'
        bedrock.asked.append((path, json.loads(body)))
        kind = "application/vnd.amazon.eventstream" if bedrock.answer.endswith(".bin") else "application/json"
        return bedrock.status, kind, (ANSWERS / bedrock.answer).read_bytes(), bedrock.headers

    bedrock.port = serve(answer)
    return bedrock


@pytest.fixture
def of_bedrock(ringway, bedrock, aws):
    # Claude, too, is asked by Converse where the operator says so.
    account = aws.account(bedrock.port, quirks={"claude_invoke": False})
    gateway = ringway(providers={"a": account}, models={"model": [f"a/{MODEL}"]})
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        yield client


def test_bedrock_answers_signed_requests(of_bedrock, bedrock):
    answer = of_bedrock.chat.completions.create(**ASK, max_completion_tokens=50)
    assert answer.choices[0].message.content and answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0
    ((path, body),) = bedrock.asked
    assert path == f"/model/{urllib.parse.quote(MODEL, safe='')}/converse"
    assert body["messages"] == [{"role": "user", "content": [{"text": "hello there"}]}]
    assert body["inferenceConfig"] == {"maxTokens": 50}


def test_bedrock_streams_in_frames(of_bedrock, bedrock):
    bedrock.answer = "stream_text.bin"
    chunks = list(of_bedrock.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert bedrock.asked[0][0].endswith("/converse-stream")
    bedrock.answer = "stream_parallel_tools.bin"
    chunks = list(of_bedrock.chat.completions.create(**ASK, stream=True))
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert {call.index for call in calls} == {0, 1}


def test_a_stream_of_bedrock_that_is_cut_is_an_error(of_bedrock, bedrock):
    bedrock.answer = "stream_cut.bin"
    with pytest.raises(openai.APIError):
        list(of_bedrock.chat.completions.create(**ASK, stream=True))


@pytest.mark.parametrize(
    "name, status, expected",
    [
        ("ThrottlingException", 400, openai.RateLimitError),
        ("ServiceQuotaExceededException", 400, openai.RateLimitError),
        ("ModelNotReadyException", 429, openai.InternalServerError),
        ("ValidationException", 400, openai.BadRequestError),
        ("ModelErrorException", 424, openai.InternalServerError),
    ],
)
def test_bedrock_s_name_of_an_error_decides(of_bedrock, bedrock, name, status, expected):
    """The body says the same each time, and some statuses mean several things."""
    bedrock.answer = "error_rate_limit.json"
    bedrock.status = status
    bedrock.headers = {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    with pytest.raises(expected) as error:
        of_bedrock.chat.completions.create(**ASK)
    assert type(error.value) is expected


def test_several_answers_of_bedrock_are_calls_that_are_signed_each(of_bedrock, bedrock):
    several = of_bedrock.chat.completions.create(**ASK, n=2)
    assert [choice.index for choice in several.choices] == [0, 1] and several.choices[1].message.content
    bedrock.answer = "stream_text.bin"
    chunks = list(of_bedrock.chat.completions.create(**ASK, n=2, stream=True))
    ended = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert sorted(ended) == [0, 1] and len(bedrock.asked) == 4


def test_a_call_of_bedrock_is_explained_without_its_signature(of_bedrock, bedrock, aws):
    explaining = of_bedrock.with_options(base_url=str(of_bedrock.base_url).replace("/v1", "/v1/explain/v1"))
    told = explaining.chat.completions.with_raw_response.create(**ASK).text
    (candidate,) = json.loads(told)["candidates"]
    assert candidate["request"]["headers"]["authorization"] == "<credential>"
    assert candidate["request"]["url"].endswith(f"/model/{urllib.parse.quote(MODEL, safe='')}/converse")
    secrets = aws.keys.values()
    assert not any(secret in told for secret in secrets) and not bedrock.asked


def test_a_key_of_bedrock_s_own_is_shown_as_it_is(ringway, serve):
    """As AWS's own clients take it, from the environment."""
    seen = []

    def answer(path, headers, body):
        seen.append(headers["authorization"])
        return 200, "application/json", (ANSWERS / "text.json").read_bytes()

    account = {"kind": "bedrock", "region": "eu-central-1", "base_url": f"http://127.0.0.1:{serve(answer)}"}
    gateway = ringway(
        providers={"a": account | {"credential": None}},
        models={"model": ["a/amazon.nova-2-lite-v1:0"]},
        environment={"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-of-a-test"},
    )
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        assert client.chat.completions.create(**ASK).choices[0].message.content
    assert seen == ["Bearer bedrock-api-key-of-a-test"]


def test_vertex_is_shown_a_token_that_was_fetched(ringway, simulate, google):
    simulator = simulate("vertex", script=f'require_key = "{google.token}"\n')
    account = {"kind": "vertex", "project": "test", "location": "europe-west4", "base_url": simulator.origin}
    account |= {"credential": None, "service_account_file": google.file}
    models = {"model": ["a/sim-small"], "nano": ["a/gemini-3-pro-image"]}
    gateway = ringway(providers={"a": account}, models=models)
    with openai.OpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as client:
        # Vertex AI alone is told in which format pictures are wanted.
        pictures = client.images.generate(model="nano", prompt="a pixel", output_format="jpeg", output_compression=90)
        assert pictures.data and pictures.output_format == "jpeg"
        path = simulator.last_request().path
        assert path.endswith("/europe-west4/publishers/google/models/gemini-3-pro-image:generateContent")
        for stream in (False, True):
            answer = client.chat.completions.create(**ASK, stream=stream)
            said = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else ""
            assert (said or answer.choices[0].message.content).startswith("You said: hello there")
    # A client of Google's own dialect gets there by its bytes.
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}).encode()
    url = f"{gateway.url}/v1beta/models/model:generateContent"
    request = urllib.request.Request(url, body, {"content-type": "application/json", "x-goog-api-key": gateway.key})
    with urllib.request.urlopen(request) as answer:
        said = json.load(answer)
    assert said["candidates"][0]["content"]["parts"][0]["text"].startswith("You said: hello there")
    request.full_url = f"{gateway.url}/v1/explain/v1beta/models/model:generateContent"
    with urllib.request.urlopen(request) as answer:
        told = answer.read().decode()
    assert json.loads(told)["candidates"][0]["request"]["headers"]["authorization"] == "<credential>"
    assert google.token not in told
    asked = simulator.stats()
    assert asked.invalid == {} and google.asked == 1
    path = simulator.last_request().path
    assert path == "/v1/projects/test/locations/europe-west4/publishers/google/models/sim-small:generateContent"
