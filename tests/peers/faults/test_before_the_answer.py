"""Faults before the first byte of an answer: rows 1-12 and 26 of the fault table.

Nothing of it surfaces where another deployment can answer; where none can, the client gets a clear refusal.
"""

import contextlib
import subprocess
import time

import httpx
import pytest

from harness.certificates import Certificates
from peers.exchange import answered, chat, refused, refusing_address, unreachable_address

BOTH_FORMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def with_address(ringway, simulate, address, **model):
    """A gateway whose first provider is at `address`, and the healthy one behind it."""
    well = simulate("well")
    gateway = ringway(
        providers={"ill": {"base_url": address}, "well": well},
        models={
            "both": {"deployments": ["ill/m", "well/m"], **model},
            "alone": {"deployments": ["ill/m"], **model},
        },
    )
    return gateway, well


# Row 1


@BOTH_FORMS
def test_connection_refused(ringway, simulate, stream):
    with refusing_address() as address:
        gateway, well = with_address(ringway, simulate, address)
        answered(chat(gateway, stream=stream))
        assert well.stats().requests == 1
        answer = refused(chat(gateway, "alone", stream=stream), 503, "upstream_connect")
        assert answer.headers.get("x-should-retry") != "false"
        assert gateway.metric("ringway_deployment_failures_total", deployment="ill/m") == 2


# Row 2


@BOTH_FORMS
def test_connect_timeout(ringway, simulate, stream):
    with unreachable_address() as address:
        gateway, well = with_address(ringway, simulate, address, deadlines={"connect_ms": 200})
        answered(chat(gateway, stream=stream))
        assert well.stats().requests == 1
        refused(chat(gateway, "alone", stream=stream), 504, "upstream_connect_timeout")


# Row 3


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """A hosts file that only Ringway sees; `hosts(text)` replaces what it says."""
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    launcher = tmp_path / "bin" / "ringway"
    launcher.parent.mkdir()

    def enter(binary):
        """A program that runs `binary` with that file in the place of /etc/hosts."""
        launcher.write_text(
            f'#!/bin/sh\nexec unshare --mount sh -c \'mount --bind "{path}" /etc/hosts && exec "{binary}" "$@"\' ringway "$@"\n'
        )
        launcher.chmod(0o755)
        return launcher

    def write(text):
        # In place: the mount shows the file, not the name.
        path.write_text(f"127.0.0.1 localhost\n{text}")

    write.enter = enter
    return write


def named_provider(name, simulator):
    return {"base_url": f"http://{name}:{simulator.port}/v1", "allow_plaintext": True}


def start_with_hosts(ringway, hosts, monkeypatch, **options):
    from harness import gateway

    real = gateway.binary
    monkeypatch.setattr(gateway, "binary", lambda name: str(hosts.enter(real(name))))
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("a private mount needs root")
    return ringway(**options)


def test_a_name_that_does_not_resolve(ringway, simulate, hosts, monkeypatch):
    well = simulate("well")
    gateway = start_with_hosts(
        ringway,
        hosts,
        monkeypatch,
        providers={"ill": named_provider("nowhere.test", well), "well": well},
        models={"both": ["ill/m", "well/m"], "alone": ["ill/m"]},
    )
    answered(chat(gateway))
    refused(chat(gateway, "alone"), 503, "upstream_connect")
    assert gateway.metric("ringway_upstream_addresses", host="nowhere.test") == 0


def test_the_last_good_address_serves_on(ringway, simulate, hosts, monkeypatch):
    provider = simulate("a")
    hosts("127.0.0.1 provider.test\n")
    gateway = start_with_hosts(
        ringway, hosts, monkeypatch, providers={"a": named_provider("provider.test", provider)}, models={"m": ["a/m"]}
    )
    answered(chat(gateway, "m"))
    hosts("")
    failures = gateway.metric("ringway_dns_failures_total")
    assert gateway.reload(), "a reload looks names up again"
    gateway.wait_metric("ringway_dns_failures_total", lambda value: value > failures)
    for _ in range(5):
        answered(chat(gateway, "m"))
    assert gateway.metric("ringway_upstream_addresses", host="provider.test") == 1


def test_a_changed_address_is_followed(ringway, simulate, hosts, monkeypatch):
    old = simulate("old")
    new = simulate("new", listen=f"127.0.0.2:{old.port}")
    hosts("127.0.0.1 provider.test\n")
    gateway = start_with_hosts(
        ringway, hosts, monkeypatch, providers={"a": named_provider("provider.test", old)}, models={"m": ["a/m"]}
    )
    answered(chat(gateway, "m"))
    assert (old.stats().requests, new.stats().requests) == (1, 0)
    hosts("127.0.0.2 provider.test\n")
    lookups = gateway.metric("ringway_dns_lookups_total")
    assert gateway.reload()
    gateway.wait_metric("ringway_dns_lookups_total", lambda value: value > lookups)
    # Connections to the old address are good as long as they last; after that there is only the new one.
    old.child.stop()
    for _ in range(3):
        answered(chat(gateway, "m"))
    assert new.stats().requests == 3


# Row 4


def bad_tls(kind, folder):
    """A simulator's options that make its TLS unacceptable, and those of the provider's entry."""
    folder.mkdir()
    other = folder / "other"
    other.mkdir()
    made = Certificates.make(folder)
    if kind == "expired":
        made.issue(days=-1)
    elif kind == "wrong name":
        made.issue(names="DNS:elsewhere.test")
    elif kind == "unknown authority":
        return {"tls_files": made}, {"ca_file": str(Certificates.make(other).ca_file)}
    elif kind == "no HTTP/2 where it is required":
        return {"tls_files": made, "script": "[connection]\nalpn = []\n", "http2": True}, {"http": "http2"}
    elif kind == "silence":
        return {"tls_files": made, "script": "[connection]\ntls_stall = true\n"}, {}
    return {"tls_files": made}, {}


@pytest.mark.parametrize(
    "kind", ["expired", "wrong name", "unknown authority", "no HTTP/2 where it is required", "silence"]
)
def test_tls_that_is_not_acceptable(couple, tmp_path, kind):
    wire, provider = bad_tls(kind, tmp_path / "tls")
    sides = couple(wire, model={"deadlines": {"connect_ms": 500}}, provider=provider)
    ill, well, gateway = sides.ill, sides.well, sides.gateway
    well.child.stop()
    answer = chat(gateway, "alone")
    if kind == "silence":
        # The request waits for a handshake, or hears at once of one that has just ended: by then either is true.
        assert answer.error["code"] in ("upstream_connect_timeout", "upstream_tls"), answer.body
    else:
        refused(answer, 502, "upstream_tls")
        assert ill.stats().requests == 0, "it must never be asked over such a connection"
    assert gateway.metric("ringway_upstream_connect_failures_total") > 0


def test_bad_tls_fails_over(ringway, simulate, tmp_path):
    wire, _ = bad_tls("expired", tmp_path / "tls")
    ill, well = simulate("ill", **wire), simulate("well")
    gateway = ringway(providers={"ill": ill, "well": well}, models={"both": ["ill/m", "well/m"]})
    answered(chat(gateway))
    assert (ill.stats().requests, well.stats().requests) == (0, 1)


def test_no_alpn_means_http1_where_that_is_allowed(couple):
    sides = couple({"tls": True, "http2": True, "script": "[connection]\nalpn = []\n"})
    answered(chat(sides.gateway, "alone"))
    assert sides.ill.last_request().protocol == "HTTP/1.1"


# Rows 5 and 6

IMPATIENT = {"headers_ms": 300, "first_token_ms": 300}


@BOTH_FORMS
@pytest.mark.parametrize("fault", ["silent", "header_trickle:100"])
def test_no_answer_in_time(couple, wire, fault, stream):
    if wire and fault != "silent":
        pytest.skip("a head is one frame in HTTP/2")
    sides = couple(wire, model={"deadlines": IMPATIENT})
    sides.ill.fail(fault)
    answer = chat(sides.gateway, stream=stream)
    refused(answer, 504, "upstream_timeout")
    assert sides.well.stats().requests == 0, "the first provider may have worked on it"
    sides.ill.wait("the attempt was given up", lambda stats: stats.in_flight == 0)


@BOTH_FORMS
@pytest.mark.parametrize("fault", ["silent", "header_trickle:100"])
def test_no_answer_in_time_where_the_group_allows_another_try(couple, wire, fault, stream):
    if wire and fault != "silent":
        pytest.skip("a head is one frame in HTTP/2")
    sides = couple(wire, model={"deadlines": IMPATIENT, "retry_on_timeout": True})
    sides.ill.fail(fault)
    answered(chat(sides.gateway, stream=stream))
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)


def test_a_head_without_content_in_time(couple, wire):
    sides = couple(wire, model={"deadlines": {"first_token_ms": 300}, "retry_on_timeout": True})
    sides.ill.fail("silent_after_head")
    answered(chat(sides.gateway, stream=True))
    refused(chat(sides.gateway, "alone", stream=True), 504, "upstream_first_token_timeout")


# Row 7


@BOTH_FORMS
def test_rate_limits_of_every_candidate(couple, wire, stream):
    sides = couple(wire)
    sides.ill.fail("rate_limited:60")
    sides.well.fail("rate_limited:20")
    answer = refused(chat(sides.gateway, stream=stream), 429, "rate_limit_exceeded")
    assert 0 < float(answer.headers["retry-after"]) <= 20, "the smallest wait of all candidates"
    assert answer.headers.get("x-should-retry") != "false"
    # Both are parked: nobody is asked again before the time is over.
    again = chat(sides.gateway, stream=stream)
    assert again.status == 429 and 0 < float(again.headers["retry-after"]) <= 20
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)


@pytest.mark.parametrize("told", ["retry_after=2", "retry_after_ms=2000", "reset_requests=2s", "reset_tokens=1500ms"])
def test_every_way_to_say_when_to_come_back(couple, told):
    sides = couple()
    sides.ill.fail(f"rate_limited,{told}")
    answer = refused(chat(sides.gateway, "alone"), 429, "rate_limit_exceeded")
    assert 0 < float(answer.headers["retry-after"]) <= 2


# Row 8


@BOTH_FORMS
@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408])
def test_server_errors(couple, wire, status, stream):
    sides = couple(wire)
    sides.ill.fail(f"status:{status}")
    answered(chat(sides.gateway, stream=stream))
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)


def test_server_errors_of_all_cost_a_bounded_number_of_attempts(couple, wire):
    sides = couple(wire)
    sides.ill.fail("status:500")
    sides.well.fail("status:500")
    refused(chat(sides.gateway), 502, "upstream_error")
    assert 2 <= sides.ill.stats().requests + sides.well.stats().requests <= 4
    line = sides.gateway.wait_log("the exchange", lambda line: line["status"] == 502)
    assert line["attempts"] == sides.ill.stats().requests + sides.well.stats().requests


def test_an_outage_adds_a_fifth_to_the_load_of_the_others(couple):
    sides = couple()
    sides.ill.fail("status:503")
    requests, began = 300, time.monotonic()
    statuses = [chat(sides.gateway).status for _ in range(requests)]
    # Twenty in hand, one for five requests, two a second.
    retries_max = 20 + requests / 5 + 2 * (time.monotonic() - began + 1)
    assert 20 + requests / 5 - 1 <= sides.well.stats().requests <= retries_max
    assert statuses.count(200) == sides.well.stats().requests
    assert statuses.count(503) == requests - statuses.count(200)


# Row 9


@BOTH_FORMS
@pytest.mark.parametrize("status", [401, 403])
def test_a_credential_that_is_refused(couple, wire, status, stream):
    sides = couple(wire)
    sides.ill.fail(f"echo_key:{status}")
    answered(chat(sides.gateway, stream=stream))
    answer = refused(chat(sides.gateway, "alone", stream=stream), 502, "upstream_credential")
    assert sides.gateway.credential.encode() not in answer.body
    assert answer.headers["x-should-retry"] == "false"


# Row 10


@BOTH_FORMS
@pytest.mark.parametrize("fault, status", [("status:400", 400), ("status:422", 422), ("too_large", 413)])
def test_what_the_client_caused_is_passed_on(couple, wire, fault, status, stream):
    sides = couple(wire)
    sides.ill.fail(fault)
    answer = chat(sides.gateway, stream=stream)
    assert answer.status == status
    assert answer.json["error"]["message"]
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 0)


def test_context_length_keeps_its_code(couple, wire):
    sides = couple(wire)
    sides.ill.fail("context_length")
    refused(chat(sides.gateway), 400, "context_length_exceeded")
    assert sides.well.stats().requests == 0


@BOTH_FORMS
def test_a_model_that_the_provider_does_not_know_is_the_deployments_fault(couple, wire, stream):
    sides = couple(wire)
    sides.ill.fail("model_not_found")
    answered(chat(sides.gateway, stream=stream))
    refused(chat(sides.gateway, "alone", stream=stream), 502, "upstream_model_missing")


# Rows 11 and 12


@pytest.mark.parametrize("fault", ["error_in_200", "first_event_error:503"])
def test_an_error_inside_a_200(couple, wire, fault):
    stream = fault != "error_in_200"
    sides = couple(wire)
    sides.ill.fail(fault)
    answered(chat(sides.gateway, stream=stream))
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)
    refused(chat(sides.gateway, "alone", stream=stream), 502, "upstream_error")


def test_a_whole_error_where_a_stream_was_asked_for(couple, wire):
    sides = couple(wire)
    sides.ill.fail("error_in_200")
    answered(chat(sides.gateway, stream=True))


@pytest.mark.parametrize("fault", ["bad_json", "empty_body"])
def test_an_answer_that_is_no_json(couple, wire, fault):
    sides = couple(wire)
    sides.ill.fail(fault)
    answered(chat(sides.gateway))
    assert (sides.ill.stats().requests, sides.well.stats().requests) == (1, 1)
    refused(chat(sides.gateway, "alone"), 502, "upstream_bad_response")


@BOTH_FORMS
@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_connection_that_breaks_before_the_answer(couple, wire, fault, stream):
    sides = couple(wire)
    sides.ill.fail(fault)
    answered(chat(sides.gateway, stream=stream))
    assert sides.well.stats().requests == 1
    answer = chat(sides.gateway, "alone", stream=stream)
    refused(answer, 502, "upstream_reset")


# Row 26


@BOTH_FORMS
def test_every_candidate_is_down(ringway, stream):
    with contextlib.ExitStack() as held:
        addresses = [held.enter_context(refusing_address()) for _ in range(3)]
        gateway = ringway(
            providers={f"p{index}": {"base_url": address} for index, address in enumerate(addresses)},
            models={"m": [f"p{index}/m" for index in range(3)]},
        )
        answer = refused(chat(gateway, "m", stream=stream), 503, "upstream_connect")
        assert float(answer.headers["retry-after"]) > 0


def test_embeddings_go_to_the_same_model_only(ringway, simulate):
    ill, other, well = simulate("ill"), simulate("other"), simulate("well")
    ill.fail("status:500")
    gateway = ringway(
        providers={"ill": ill, "other": other, "well": well},
        models={"e": ["ill/vectors", "other/other-vectors", "well/vectors"]},
    )
    answer = httpx.post(
        f"{gateway.api}/embeddings",
        json={"model": "e", "input": "x"},
        headers={"authorization": f"Bearer {gateway.key}"},
    )
    assert answer.status_code == 200
    assert (ill.stats().requests, other.stats().requests, well.stats().requests) == (1, 0, 1)
