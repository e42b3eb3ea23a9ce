"""What the service manager is told."""

import os
import signal

from harness.control import UnixConnection, ask
from harness.waiting import wait_for

KEY = "sk-canary-of-the-environment"


def started(serve, simulator, tmp_path, **environment):
    arguments = ["--listen", f"unix:{tmp_path}/api.sock", "--admin", f"unix:{tmp_path}/admin.sock"]
    return serve(arguments, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": simulator.endpoint, **environment})


def test_ready_means_that_it_answers(serve, simulate, tmp_path):
    """And that its connections to providers are warm."""
    simulator = simulate()
    served = started(serve, simulator, tmp_path).wait_ready()
    assert ask(UnixConnection(tmp_path / "admin.sock"), "GET", "/readyz")[0] == 200
    assert simulator.stats().connections_open >= 1
    ready = next(message for message in served.manager.messages if message.get("READY"))
    assert ready["STATUS"].startswith("serving")
    assert [message for message in served.manager.messages if "STOPPING" in message] == []


def test_ready_does_not_wait_for_a_provider_that_is_down(serve, simulate, tmp_path):
    simulator = simulate()
    simulator.stop()
    started(serve, simulator, tmp_path).wait_ready()


def test_stopping_comes_before_the_end(serve, simulate, tmp_path):
    served = started(serve, simulate(), tmp_path).wait_ready()
    served.child.signal(signal.SIGTERM)
    stopping = served.manager.wait("STOPPING=1", lambda message: message.get("STOPPING") == "1")
    # The manager's patience has to be at least ours: 120 s of draining by default.
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 120_000_000
    assert served.child.wait() == 0


def test_a_reload_is_announced_and_done(serve, simulate, tmp_path):
    served = started(serve, simulate(), tmp_path).wait_ready()
    served.child.signal(signal.SIGHUP)
    reloading = served.manager.wait("RELOADING=1", lambda message: message.get("RELOADING") == "1")
    assert int(reloading["MONOTONIC_USEC"]) > 0

    def ready_again():
        messages = served.manager.read()
        return any(message.get("READY") for message in messages[messages.index(reloading) :])

    wait_for("READY=1 again", ready_again)
    assert "generation 2" in served.manager.messages[-1]["STATUS"]


def test_the_watchdog_is_fed(serve, simulate, tmp_path):
    served = started(serve, simulate(), tmp_path, WATCHDOG_USEC="400000").wait_ready()

    def fed():
        return sum("WATCHDOG" in message for message in served.manager.read()) >= 5

    wait_for("five signs of life", fed)


def test_a_watchdog_of_another_process_is_not_fed(serve, simulate, tmp_path):
    served = started(serve, simulate(), tmp_path, WATCHDOG_USEC="10000", WATCHDOG_PID=str(os.getpid())).wait_ready()
    served.child.signal(signal.SIGTERM)
    assert served.child.wait() == 0
    assert not any("WATCHDOG" in message for message in served.manager.read())


def test_nobody_is_told_no_secret(serve, simulate, tmp_path):
    served = started(serve, simulate(), tmp_path).wait_ready()
    key = served.printed("key:")
    served.child.signal(signal.SIGHUP)
    served.manager.wait("the reload", lambda message: "generation 2" in message.get("STATUS", ""))
    assert key not in str(served.manager.messages) and KEY not in str(served.manager.messages)
