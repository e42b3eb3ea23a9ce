"""Where it listens: unix sockets, and sockets that a service manager opened."""

import os
import shutil
import socket
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from harness.children import binary, free_port
from harness.control import UnixConnection, ask
from harness.waiting import wait_for
from peers.lifecycle.client import Client

# Puts inherited descriptors where sd_listen_fds(3) wants them, and becomes the program: LISTEN_PID is then its own.
LAUNCHER = """
import os, sys
count, command = int(sys.argv[1]), sys.argv[2:]
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(command[0], command)
"""


def environment(simulator):
    return {"OPENAI_API_KEY": "sk-canary-of-the-environment", "OPENAI_BASE_URL": simulator.endpoint}


def models(connection, key):
    status, _, body = ask(
        connection, "GET", "/v1/models", headers={"Authorization": f"Bearer {key}", "Host": "localhost"}
    )
    assert status == 200, body
    return body


def test_a_unix_socket(serve, simulate, tmp_path, driver):
    path = tmp_path / "api.sock"
    served = serve(["--listen", f"unix:{path}", "--admin", "none", "--driver", driver], environment(simulate()))
    served.wait_ready()
    key = served.printed("key:")
    assert models(UnixConnection(path), key)
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    assert served.child.stop() == 0
    assert not path.exists()


def test_a_unix_socket_that_was_left_behind_is_replaced(serve, simulate, tmp_path):
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    served = serve(["--listen", f"unix:{path}", "--admin", "none"], environment(simulate())).wait_ready()
    assert models(UnixConnection(path), served.printed("key:"))


def test_an_address_that_somebody_else_has_is_refused(serve, simulate):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        served = serve(["--listen", f"127.0.0.1:{port}", "--admin", "none"], environment(simulate()))
        assert served.child.wait() == 1
        assert str(port) in served.child.stderr


def test_one_process_per_address(serve, simulate):
    """A second of us says so and ends, instead of taking half of the connections: sockets of shards share their address."""
    arguments = ["--listen", f"127.0.0.1:{free_port()}", "--admin", "none"]
    simulator = simulate()
    serve(arguments, environment(simulator)).wait_ready()
    second = serve(arguments, environment(simulator))
    assert second.child.wait() == 1
    assert "another process" in second.child.stderr


@pytest.mark.parametrize("shards", [1, 2])
def test_a_socket_that_was_passed_in(simulate, tmp_path, driver, shards):
    """It is served without being configured, and is still open for the next process when this one has gone."""
    simulator = simulate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = activated(
            tmp_path, simulator, listener, ["--listen", f"127.0.0.1:{port}", "--shards", str(shards)], driver
        )
        key = started.key
        with Client(SimpleNamespace(port=port, key=key)) as client:
            assert client.chat()[0] == 200
        started.process.terminate()
        assert started.process.wait(30) == 0
        # Nobody accepts now, and nobody is refused.
        waiting = socket.create_connection(("127.0.0.1", port), timeout=5)
        started = activated(tmp_path, simulator, listener, ["--listen", f"127.0.0.1:{port}"], driver)
        waiting.sendall(
            f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {started.key}\r\n\r\n".encode()
        )
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        waiting.close()
        started.process.terminate()
        assert started.process.wait(30) == 0


def activated(tmp_path, simulator, listener, arguments, driver):
    errors = tmp_path / f"stderr-{free_port()}"
    base = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    held = os.dup(listener.fileno())

    def third():
        os.dup2(held, 3)

    with open(errors, "wb") as stderr:
        command = [
            sys.executable,
            "-c",
            LAUNCHER,
            "1",
            binary("ringway"),
            "serve",
            "--admin",
            "none",
            "--driver",
            driver,
        ]
        process = subprocess.Popen(
            [*command, *arguments],
            env={**base, **environment(simulator)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=(3,),
            preexec_fn=third,
        )
    os.close(held)

    def key():
        assert process.poll() is None, errors.read_text()
        lines = errors.read_text().splitlines()
        return next((line.removeprefix("key: ") for line in lines if line.startswith("key: ")), None)

    return SimpleNamespace(process=process, key=wait_for("its key is printed", key))


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not installed")
def test_started_by_its_first_connection(simulate, tmp_path):
    """systemd's own launcher listens, and starts it when somebody connects."""
    simulator, port, errors = simulate(), free_port(), tmp_path / "stderr"
    base = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    given = {"HOME": str(tmp_path), **environment(simulator)}
    command = ["systemd-socket-activate", f"--listen=127.0.0.1:{port}"]
    command += [f"--setenv={name}={value}" for name, value in given.items()]
    command += [binary("ringway"), "serve", "--admin", "none", "--listen", f"127.0.0.1:{port}"]
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(command, env={**base, **given}, stdin=subprocess.DEVNULL, stderr=stderr)
    try:

        def connected():
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=20)
            except ConnectionRefusedError:
                return None

        first = wait_for("systemd-socket-activate listens", connected)

        def key():
            lines = errors.read_text().splitlines()
            return next((line.removeprefix("key: ") for line in lines if line.startswith("key: ")), None)

        found = wait_for("its key is printed", key)
        first.sendall(f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {found}\r\n\r\n".encode())
        assert first.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        first.close()
    finally:
        process.terminate()
    assert process.wait(30) == 0


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_address_of_a_process_that_has_just_ended(serve, simulate, tmp_path, driver, kind, how):
    """A restart: connections of the process before are in TIME_WAIT, and its ring may still be taken down."""
    listen = f"127.0.0.1:{free_port()}" if kind == "tcp" else f"unix:{tmp_path}/api.sock"
    arguments = ["--listen", listen, "--admin", "none", "--driver", driver, "--shards", "2"]
    simulator = simulate()
    for _ in range(3):
        served = serve(arguments, environment(simulator)).wait_ready()
        if kind == "tcp":
            with socket.create_connection(("127.0.0.1", int(listen.rsplit(":", 1)[1])), timeout=20) as client:
                # An answer of HTTP/1.0 is ended by us, which puts TIME_WAIT on our side.
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while client.recv(4096):
                    pass
        if how == "stop":
            assert served.child.stop() == 0
        else:
            served.child.process.kill()
            served.child.process.wait()
