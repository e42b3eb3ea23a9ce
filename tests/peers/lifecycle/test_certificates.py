"""The downstream certificate is replaced while connections go on."""

import socket
import ssl

import pytest

from harness.certificates import Certificates
from harness.waiting import wait_for
from peers.lifecycle.client import Client, one


@pytest.fixture
def own_certificates(tmp_path):
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Certificates.make(folder)


def shown(gateway, certificates):
    """The certificate that a new connection gets."""
    with Client(gateway, certificates.ca_file) as client:
        return client.sock.getpeercert(binary_form=True)


def test_a_reload_takes_the_new_one(ringway, simulate, own_certificates, driver):
    files = (own_certificates.cert_file, own_certificates.key_file)
    gateway = ringway(driver=driver, shards=2, tls=files, **one(simulate()))
    first = shown(gateway, own_certificates)
    with Client(gateway, own_certificates.ca_file) as old:
        assert old.chat()[0] == 200
        own_certificates.issue()
        assert gateway.reload()
        second = shown(gateway, own_certificates)
        assert first != second == ssl.PEM_cert_to_DER_cert(own_certificates.cert_file.read_text())
        assert old.chat()[0] == 200


def test_files_that_changed_are_noticed(ringway, simulate, own_certificates):
    """What renews certificates need not know how to tell us."""
    gateway = ringway(tls=(own_certificates.cert_file, own_certificates.key_file), **one(simulate()))
    first = shown(gateway, own_certificates)
    own_certificates.issue()
    wait_for("another certificate", lambda: shown(gateway, own_certificates) != first)


def test_a_bad_one_changes_nothing(ringway, simulate, own_certificates):
    gateway = ringway(tls=(own_certificates.cert_file, own_certificates.key_file), **one(simulate()))
    first = shown(gateway, own_certificates)
    key = own_certificates.key_file.read_text()
    own_certificates.cert_file.write_text("no certificate\n")
    gateway.reload()
    assert gateway.metric("ringway_certificate_failures_total") >= 1
    assert shown(gateway, own_certificates) == first
    # A certificate and somebody else's key.
    own_certificates.issue()
    own_certificates.key_file.write_text(key)
    gateway.reload()
    assert shown(gateway, own_certificates) == first
    own_certificates.issue()
    assert gateway.reload()
    assert shown(gateway, own_certificates) != first


def test_plaintext_where_tls_is_spoken(ringway, simulate, own_certificates):
    gateway = ringway(tls=(own_certificates.cert_file, own_certificates.key_file), **one(simulate()))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as plain:
        plain.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        rest = b""
        while piece := plain.recv(4096):
            rest += piece
        assert b"HTTP/1.1" not in rest
    gateway.wait_metric("ringway_downstream_tls_failures_total", lambda value: value == 1)
    gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_a_handshake_that_is_not_finished(ringway, simulate, own_certificates):
    files = (own_certificates.cert_file, own_certificates.key_file)
    gateway = ringway(tls=files, server={"head_timeout_ms": 1000}, **one(simulate()))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as silent:
        silent.sendall(b"\x16\x03\x01\x02\x00")
        with Client(gateway, own_certificates.ca_file) as client:
            assert client.chat()[0] == 200
        assert silent.recv(1) == b""
    gateway.wait_metric("ringway_connections", lambda value: value == 0)


def test_a_client_that_leaves_a_stream(ringway, simulate, own_certificates, driver):
    simulator = simulate(script="[answer]\ntokens = 100000\n[latency]\ngap_ms = 5.0\n")
    files = (own_certificates.cert_file, own_certificates.key_file)
    gateway = ringway(driver=driver, tls=files, **one(simulator))
    with Client(gateway, own_certificates.ca_file) as client:
        assert client.stream().read(64)
    simulator.wait("the stream was cancelled", lambda stats: stats.cancelled == 1 and stats.in_flight == 0)
