"""Pictures: OpenAI's client of models of Google's, which are asked what Google's own client asks, and Google's client of the same."""

import base64
import json

import openai
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

PROMPT = 'a pixel, "transparent"'
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def kind():
    """The only one of the providers that makes pictures in another form than OpenAI's."""
    return "gemini"


@pytest.fixture
def gateway(ringway, provider):
    """`nano` and `imagen` are Google's; `either` is one of its, too, and then one of a provider of OpenAI's API."""
    nano = "a/gemini-3.1-flash-image"
    return ringway(
        providers={
            "a": {"kind": "gemini", "base_url": f"{provider.origin}/v1beta"},
            "b": {"kind": "openai", "base_url": f"{provider.origin}/v1"},
        },
        models={"nano": [nano], "imagen": ["a/imagen-4.0-generate-001"], "either": [nano, "b/sim-small"]},
    )


def direct(provider, **more):
    """Google's client of the provider itself."""
    return genai.Client(http_options={"base_url": provider.origin, "api_version": "v1beta"}, **more)


@pytest.mark.parametrize("model", ["nano", "imagen"])
def test_pictures_come_as_they_were_made(of_openai, model):
    answer = of_openai.images.generate(model=model, prompt=PROMPT)
    (picture,) = answer.data
    assert base64.b64decode(picture.b64_json, validate=True).startswith(PNG) and picture.url is None
    assert answer.output_format == "png" and answer.created > 1_700_000_000
    if model == "imagen":
        assert answer.usage is None
        return
    usage = answer.usage
    assert usage.output_tokens == usage.output_tokens_details.image_tokens == 1290
    assert usage.input_tokens == usage.input_tokens_details.text_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_gemini_is_asked_what_google_s_client_asks(of_openai, provider):
    of_openai.images.generate(model="nano", prompt=PROMPT, size="2048x1152", quality="auto")
    asked = provider.last_request()
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K")
    )
    client = direct(provider, api_key="sk-direct")
    client.models.generate_content(model="gemini-3.1-flash-image", contents=PROMPT, config=config)
    assert (provider.last_request().path, provider.last_request().json) == (asked.path, asked.json)


def test_imagen_is_asked_what_google_s_client_asks(of_openai, provider):
    of_openai.images.generate(model="imagen", prompt=PROMPT, n=2, size="1536x1024", output_format="jpeg")
    asked = provider.last_request()
    config = types.GenerateImagesConfig(
        number_of_images=2, aspect_ratio="4:3", output_mime_type="image/jpeg", include_rai_reason=True
    )
    # It has Imagen at Vertex AI alone.
    client = direct(provider, vertexai=True, project="p", location="l", credentials=Credentials("sk-direct"))
    client.models.generate_images(model="imagen-4.0-generate-001", prompt=PROMPT, config=config)
    theirs = provider.last_request()
    assert theirs.json == asked.json
    assert theirs.path.rpartition("/models/")[2] == asked.path.rpartition("/models/")[2]


@pytest.mark.parametrize(("model", "calls"), [("nano", 3), ("imagen", 1)])
def test_several_pictures(gateway, of_openai, provider, model, calls):
    raw = of_openai.images.with_raw_response.generate(
        model=model, prompt=PROMPT, n=3, extra_headers={"x-ringway-debug": "1"}
    )
    answer = raw.parse()
    assert len(answer.data) == 3 and provider.stats().requests == calls
    assert raw.headers.get("x-ringway-adapted") == ("n" if model == "nano" else None)
    line = gateway.wait_log("the pictures", lambda line: line["endpoint"] == "images.generations")
    assert line["output_tokens"] == (3 * 1290 if model == "nano" else 0)
    if model == "nano":
        assert answer.usage.output_tokens == 3 * 1290 and line["input_tokens"] == answer.usage.input_tokens


REFUSED = {
    "style": "vivid",
    "size": "1000x1000",
    "quality": "high",
    "background": "transparent",
    "moderation": "low",
    "response_format": "url",
    "output_format": "webp",
    "stream": True,
}


@pytest.mark.parametrize("param", REFUSED)
def test_what_google_cannot_do_is_refused_by_name(of_openai, provider, param):
    asked = {"model": "nano", "prompt": PROMPT, param: REFUSED[param]}
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.images.generate(**asked)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", param)
    drop = {"x-ringway-unsupported": "drop"}
    if param == "stream":
        with pytest.raises(openai.BadRequestError):
            of_openai.images.generate(**asked, extra_headers=drop)
        assert provider.stats().requests == 0
        return
    raw = of_openai.images.with_raw_response.generate(**asked, extra_headers=drop)
    assert raw.parse().data and raw.headers["x-ringway-dropped"] == param


def test_who_can_do_it_is_asked_instead(of_openai, provider):
    assert of_openai.images.generate(model="either", prompt=PROMPT, style="natural").data
    assert provider.last_request().path == "/v1/images/generations"
    assert provider.stats().requests == 1


@pytest.mark.parametrize("model", ["nano", "imagen"])
def test_a_filter_is_the_content_s_fault(of_openai, provider, model):
    provider.fail("content_filter")
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.images.generate(model=model, prompt=PROMPT)
    assert refused.value.code == "content_filter" and refused.value.message
    assert provider.stats().requests == 1


def test_a_request_that_is_none(of_openai, provider):
    with pytest.raises(openai.BadRequestError) as refused:
        of_openai.images.generate(model="nano", prompt="")
    assert (refused.value.code, refused.value.param) == ("invalid_request", "prompt")
    assert provider.stats().requests == 0


def test_what_is_explained_is_what_is_sent(post, provider):
    asked = {"model": "nano", "prompt": PROMPT, "n": 2}
    status, _, explained = post("/v1/explain/v1/images/generations", asked)
    (candidate,) = explained["candidates"]
    assert status == 200 and (candidate["way"], candidate["calls"]) == ("translated", 2)
    assert post("/v1/images/generations", asked)[0] == 200
    assert [json.loads(request["body"]) for request in provider.stats().recent] == [candidate["request"]["body"]] * 2


def test_google_s_client_gets_pictures_as_they_came(of_google):
    config = types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"], image_config=types.ImageConfig(aspect_ratio="1:1")
    )
    asked = {"model": "nano", "contents": PROMPT, "config": config}
    whole = of_google.models.generate_content(**asked)
    streamed = list(of_google.models.generate_content_stream(**asked))
    for answer in (whole, *streamed):
        (part,) = answer.candidates[0].content.parts
        assert part.inline_data.mime_type == "image/png" and part.inline_data.data.startswith(PNG)
    assert whole.usage_metadata.candidates_token_count == 1290
