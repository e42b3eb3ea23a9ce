"""Clients whose connections live across the events of a process's life."""

import http.client
import json
import socket
import ssl

MESSAGES = [{"role": "user", "content": "Name three rivers."}]


class Client:
    """A keep-alive connection that is never silently replaced by another one."""

    def __init__(self, gateway, ca_file=None):
        self.key = gateway.key
        # Made before connecting: it takes its time, and a handshake that has not begun is cut.
        context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
        if context:
            sock = context.wrap_socket(sock, server_hostname="localhost")
        self.sock = sock
        self.http = http.client.HTTPConnection("localhost", gateway.port)
        self.http.sock = sock
        self.http.auto_open = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # The last answer holds on to the socket as well.
        self.http.close()
        self.sock.close()

    def start(self, method, path, value=None):
        body = json.dumps(value).encode() if value is not None else None
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.http.request(method, path, body=body, headers=headers)
        return self.http.getresponse()

    def ask(self, method, path, value=None):
        """Status and parsed body."""
        answer = self.start(method, path, value)
        return answer.status, json.loads(answer.read())

    def chat(self, model="m", **members):
        return self.ask("POST", "/v1/chat/completions", {"model": model, "messages": MESSAGES, **members})

    def stream(self, model="m", **members):
        """The answer of a streamed request, its head read."""
        value = {"model": model, "messages": MESSAGES, "stream": True, **members}
        answer = self.start("POST", "/v1/chat/completions", value)
        assert answer.status == 200, answer.read()
        return answer

    def models(self):
        status, value = self.ask("GET", "/v1/models")
        assert status == 200, value
        return {model["id"] for model in value["data"]}

    def ended(self):
        """True once the gateway has ended this idle connection; waits for it."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def one(simulator, **options):
    """Options of a gateway with one provider that serves model `m`."""
    return {"providers": {"a": simulator}, "models": {"m": ["a/m"]}, **options}
