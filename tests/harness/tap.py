"""A listener between a client and a gateway, which passes everything on and remembers what was said.

For clients whose requests are their own affair, and that show no header of an answer.
"""

import contextlib
import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Those of one connection.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


@dataclass(frozen=True)
class Exchange:
    path: str
    body: bytes
    status: int
    headers: dict
    answer: bytes

    def listed(self, header):
        """The elements of a header that is a list."""
        return {part.strip() for part in self.headers.get(header, "").split(",") if part.strip()}


class Tap:
    """`url` is what the client gets instead of the gateway's."""

    def __init__(self, origin):
        at = urlsplit(origin)
        self.exchanges = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(at.hostname, at.port, self.exchanges))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(host, port, exchanges):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self):
            body = self._body()
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            with contextlib.closing(http.client.HTTPConnection(host, port, timeout=60)) as upstream:
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                # Its end is the connection's: pieces go on as they come.
                self.send_header("Connection", "close")
                self.end_headers()
                said = bytearray()
                while piece := answer.read1(65536):
                    said += piece
                    self.wfile.write(piece)
                self.close_connection = True
                heads = {name.lower(): value for name, value in answer.getheaders()}
                exchanges.append(Exchange(self.path, body, answer.status, heads, bytes(said)))

        do_GET = do_POST = do_HEAD = pass_on

        def _body(self):
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = bytearray()
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return bytes(body)

        def log_message(self, *_):
            pass

    return Handler
