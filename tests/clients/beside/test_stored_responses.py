"""OpenAI's client and the responses that a provider keeps: by their ids, by a conversation that goes on from them, each by its own client."""

import secrets
import signal

import openai
import pytest

from harness.control import ask, connect

KEEPS = {"kind": "openai", "dialect": "openai-responses"}


@pytest.fixture(params=[False, True], ids=["http1", "http2"])
def a(simulate, request):
    return simulate("a", http2=request.param)


@pytest.fixture
def b(simulate):
    return simulate("b")


@pytest.fixture
def gateway(ringway, a, b):
    """Two providers that keep responses, and one that does not; `both` tries the first one first."""
    return ringway(
        providers={
            "a": {**KEEPS, "at": a},
            "b": {**KEEPS, "at": b},
            "c": {"kind": "openai-compatible", "at": a},
        },
        models={
            "model-a": ["a/sim-small"],
            "model-b": ["b/sim-small"],
            "both": ["a/sim-small", "b/sim-small"],
            "chat": ["c/sim-small"],
            "mixed": ["c/sim-small", "b/sim-small"],
        },
    )


@pytest.fixture
def client_with(gateway):
    def client_with(key):
        return openai.OpenAI(base_url=gateway.api, api_key=key, max_retries=0)

    return client_with


@pytest.fixture
def client(gateway, client_with):
    with client_with(gateway.key) as client:
        yield client


def refused(call, *arguments, **more):
    """Status, code and param of the error."""
    with pytest.raises(openai.APIStatusError) as error:
        call(*arguments, **more)
    return error.value.status_code, error.value.code, error.value.param


NOT_FOUND = (404, "response_not_found", "response_id")
PREVIOUS_NOT_FOUND = (400, "previous_response_not_found", "previous_response_id")


def test_a_response_lives_until_it_is_deleted(client, a, gateway):
    response = client.responses.create(model="model-a", input="hello there")
    responses = client.responses
    assert responses.retrieve(response.id) == response
    (item,) = responses.input_items.list(response.id, limit=5, order="asc").data
    assert (item.role, item.content[0].text) == ("user", "hello there")
    asked = a.last_request()
    # The provider is asked as it would be by its own client, for its own id.
    assert asked.path.startswith("/v1/responses/resp_") and asked.path.endswith("/input_items")
    assert response.id not in asked.path
    assert "content-type" not in asked.headers and "content-length" not in asked.headers
    assert responses.delete(response.id) is None
    assert a.last_request().method == "DELETE"
    # The provider's own refusal, about the id that its client knows.
    with pytest.raises(openai.NotFoundError, match=response.id):
        responses.retrieve(response.id)
    labels = [line["endpoint"] for line in wait_lines(gateway, 5)]
    assert labels == [
        "responses",
        "responses.retrieve",
        "responses.input_items",
        "responses.delete",
        "responses.retrieve",
    ]
    assert not a.stats().invalid


def wait_lines(gateway, count):
    gateway.wait_log("the last one", lambda _: len(gateway.access_log()) >= count)
    return gateway.access_log()


def test_usage_is_counted_once(client, gateway):
    response = client.responses.create(model="model-a", input="hello there")
    client.responses.retrieve(response.id)
    list(client.responses.retrieve(response.id, stream=True))
    made, *read = wait_lines(gateway, 3)
    assert made["input_tokens"] == response.usage.input_tokens > 0
    for line in read:
        assert (line["input_tokens"], line["output_tokens"], line.get("estimated")) == (0, 0, None)


def test_a_background_response_is_cancelled(client):
    queued = client.responses.create(model="model-a", input="hello there", background=True)
    assert queued.status == "queued"
    for _ in range(2):
        cancelled = client.responses.cancel(queued.id)
        assert (cancelled.id, cancelled.status) == (queued.id, "cancelled")
    finished = client.responses.create(model="model-a", input="hello there", background=True)
    assert client.responses.retrieve(finished.id).status == "completed"
    assert refused(client.responses.cancel, finished.id)[0] == 400


def test_a_response_that_failed_is_told_as_it_is(client, a):
    queued = client.responses.create(model="model-a", input="hello there", background=True, metadata={"fails": "yes"})
    failed = client.responses.retrieve(queued.id)
    assert (failed.id, failed.status, failed.error.code) == (queued.id, "failed", "server_error")
    *_, last = client.responses.retrieve(queued.id, stream=True)
    assert (last.type, last.response) == ("response.failed", failed)
    # What is no response is an error of the provider.
    a.fail("error_in_200")
    assert refused(client.responses.retrieve, queued.id)[:2] == (502, "upstream_error")


def test_a_stream_names_the_response_that_is_kept(client):
    events = list(client.responses.create(model="model-a", input="hello there", stream=True))
    with_response = [event for event in events if hasattr(event, "response")]
    assert len(with_response) == 3 and len({event.response.id for event in with_response}) == 1
    kept = client.responses.retrieve(events[-1].response.id)
    assert kept == events[-1].response
    assert list(client.responses.retrieve(kept.id, stream=True)) == events
    # One that broke off is read on.
    assert list(client.responses.retrieve(kept.id, stream=True, starting_after=4)) == events[5:]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_conversation_stays_with_who_keeps_it(client, a, b, stream):
    """Also where another provider comes first; and what an answer says of the previous one is what its client said."""
    before = client.responses.create(model="model-b", input="hello there")
    for nth in range(3):
        answer = client.responses.create(
            model="both", input=f"and {nth}", previous_response_id=before.id, stream=stream
        )
        if stream:
            *_, last = answer
            answer = last.response
        assert answer.previous_response_id == before.id
        before = answer
    assert not a.stats().recent
    sent = b.last_request().json
    assert sent["previous_response_id"].startswith("resp_") and sent["previous_response_id"] != before.id
    assert client.responses.retrieve(before.id).output_text == before.output_text
    # Without one the order is as it was.
    client.responses.create(model="both", input="hello")
    assert len(a.stats().recent) == 1


def test_a_conversation_does_not_move(client, b):
    response = client.responses.create(model="model-b", input="hello there")
    goes_on = {"input": "and", "previous_response_id": response.id}
    assert refused(client.responses.create, model="model-a", **goes_on) == PREVIOUS_NOT_FOUND
    assert refused(client.responses.create, model="chat", **goes_on) == PREVIOUS_NOT_FOUND
    assert client.responses.create(model="mixed", **goes_on).previous_response_id == response.id
    b.fail("status:503")
    assert refused(client.responses.create, model="both", **goes_on)[0] == 503
    b.heal()
    client.responses.delete(response.id)
    with pytest.raises(openai.BadRequestError, match=response.id) as forgotten:
        client.responses.create(model="model-b", **goes_on)
    assert forgotten.value.code == "previous_response_not_found"


def test_another_key_knows_nothing_of_it(gateway, client, client_with, a):
    other = gateway.config.keys["other"] = f"rw-{secrets.token_urlsafe(32)}"
    gateway.write_config()
    assert gateway.reload()
    response = client.responses.create(model="model-a", input="hello there")
    asked = len(a.stats().recent)
    with client_with(other) as stranger:
        responses = stranger.responses
        for call in (responses.retrieve, responses.delete, responses.cancel, responses.input_items.list):
            assert refused(call, response.id) == NOT_FOUND
        assert refused(responses.retrieve, response.id, stream=True) == NOT_FOUND
        goes_on = {"model": "model-a", "input": "and", "previous_response_id": response.id}
        assert refused(responses.create, **goes_on) == PREVIOUS_NOT_FOUND
    assert len(a.stats().recent) == asked
    assert client.responses.retrieve(response.id) == response


@pytest.mark.parametrize("made", ["resp_1", "resp_67ccd2bed1ec8190b14f964abc054267", "chatcmpl-1", "a%2Fb", "é"])
def test_an_id_of_nobody_is_not_found(client, a, made):
    assert refused(client.responses.retrieve, made) == NOT_FOUND
    assert refused(client.responses.create, model="model-a", input="x", previous_response_id=made) == PREVIOUS_NOT_FOUND
    assert not a.stats().recent


def test_a_translated_answer_is_not_kept(client):
    response = client.responses.create(model="chat", input="hello there")
    assert refused(client.responses.retrieve, response.id) == NOT_FOUND
    goes_on = {"input": "and", "previous_response_id": response.id}
    unsupported = (400, "unsupported_parameter", "previous_response_id")
    assert refused(client.responses.create, model="chat", **goes_on) == unsupported


def test_what_is_not_kept_is_the_provider_s_to_say(client):
    response = client.responses.create(model="model-a", input="hello there", store=False)
    assert refused(client.responses.retrieve, response.id)[0] == 404


def test_an_answer_that_is_too_long_to_be_held_is_kept_all_the_same(client):
    response = client.responses.create(model="model-a", input="hello there", instructions="a" * (5 << 20))
    kept = client.responses.retrieve(response.id)
    assert kept == response


def test_a_conversation_is_explained_as_it_is_planned(client, gateway, b):
    response = client.responses.create(model="model-b", input="hello there")
    asked = {"model": "both", "input": "and", "previous_response_id": response.id}
    told = client.post("/explain/v1/responses", body=asked, cast_to=dict)
    assert [candidate["deployment"] for candidate in told["candidates"]] == ["b/sim-small"]
    assert [(skipped["deployment"], skipped["reason"]) for skipped in told["skipped"]] == [
        ("a/sim-small", "other_provider")
    ]
    client.responses.create(**asked)
    assert told["candidates"][0]["request"]["body"] == b.last_request().json


def test_ids_outlive_the_process(gateway, client):
    response = client.responses.create(model="model-a", input="hello there")
    gateway.child.signal(signal.SIGTERM)
    assert gateway.child.wait() == 0
    gateway.restart()
    assert client.responses.retrieve(response.id) == response


def test_azure_s_spelling_and_a_key_in_the_query(gateway, client, a):
    response = client.responses.create(model="model-a", input="hello there")
    path = f"/openai/v1/responses/{response.id}?api-version=preview&key={gateway.key}&include[]=reasoning.encrypted_content"
    status, _, _ = ask(connect(gateway.url), "GET", path)
    assert (status, a.last_request().query) == (200, "include[]=reasoning.encrypted_content")


def test_a_call_by_id_is_not_explained(gateway, client):
    response = client.responses.create(model="model-a", input="hello there")
    headers = {"authorization": f"Bearer {gateway.key}"}
    status, _, body = ask(connect(gateway.url), "GET", f"/v1/explain/v1/responses/{response.id}", headers=headers)
    assert status == 400 and b"nothing to explain" in body


def test_what_is_beside_responses(client, a):
    """It passes where the provider has it, and goes on from what is kept there."""
    before = client.responses.create(model="model-a", input="hello there").id
    for path, is_answer in (
        ("/responses/input_tokens", lambda answer: answer["input_tokens"] > 0),
        ("/responses/compact", lambda answer: answer["output"][0]["type"] == "compaction"),
    ):
        asked = {"model": "model-a", "input": "x", "previous_response_id": before}
        assert is_answer(client.post(path, body=asked, cast_to=dict))
        assert a.last_request().path == f"/v1{path}"
        unsupported = refused(client.post, path, body={"model": "chat", "input": "x"}, cast_to=dict)
        assert unsupported[:2] == (404, "unsupported_endpoint")
        unknown = refused(client.post, path, body={**asked, "previous_response_id": "resp_1"}, cast_to=dict)
        assert unknown == PREVIOUS_NOT_FOUND
