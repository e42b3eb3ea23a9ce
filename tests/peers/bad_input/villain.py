"""A provider that answers with whatever bytes it is told to, in plaintext HTTP/1.1."""

import contextlib
import socket
import threading


class Villain:
    """`play(conversation)` is called for every request that was read whole, and sends what it likes."""

    def __init__(self, play):
        self.play = play
        self.requests = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        conversation = Conversation(connection)
        with connection, contextlib.suppress(OSError):
            while head := conversation.read_head():
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                with self.lock:
                    self.requests.append(head)
                conversation.length = length
                if not getattr(self.play, "before_the_body", False):
                    conversation.read_body()
                if self.play(conversation) == "close":
                    return

    def close(self):
        self.listener.close()


class Conversation:
    def __init__(self, connection):
        self.connection = connection
        self.unread = b""
        self.length = 0

    def read_head(self):
        while b"\r\n\r\n" not in self.unread:
            data = self.connection.recv(65536)
            if not data:
                return b""
            self.unread += data
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return head

    def read_body(self):
        while len(self.unread) < self.length:
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionError("the request's body ended early")
            self.unread += data
        body, self.unread = self.unread[: self.length], self.unread[self.length :]
        return body

    def send(self, data):
        self.connection.sendall(data)
