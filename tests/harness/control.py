"""Small HTTP requests to control endpoints: plain, over TLS, or over a unix socket."""

import http.client
import socket
import ssl
import urllib.parse


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(connection, method, path, body=None, headers=None):
    """Status, headers and body of one exchange."""
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def connect(origin):
    """A connection to `http://host:port` or `https://host:port`. Certificates are not looked at: some are bad on purpose."""
    url = urllib.parse.urlsplit(origin)
    if url.scheme == "https":
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=20, context=context)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=20)
