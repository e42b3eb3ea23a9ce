"""Throw-away certificates, made by the openssl command."""

import subprocess
from pathlib import Path


class Certificates:
    def __init__(self, folder):
        self.ca_file = folder / "ca.pem"
        self.cert_file = folder / "cert.pem"
        self.key_file = folder / "key.pem"
        self._folder = folder

    @classmethod
    def make(cls, folder, names="DNS:localhost,IP:127.0.0.1", days=2):
        """A CA and a leaf signed by it. `days` may be negative, for a certificate that has expired."""
        folder = Path(folder)
        made = cls(folder)
        made._openssl("req", "-x509", *cls.NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
                      "-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip
        made.issue(names, days)
        return made

    NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=2):
        """Replaces the leaf by a new one of the same CA."""
        self._openssl("req", *self.NEW_KEY, "-keyout", "key.pem", "-out", "leaf.csr", "-subj", "/CN=localhost")
        (self._folder / "extensions").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        self._openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", str(days), "-extfile", "extensions", "-out", "cert.pem")  # fmt: skip

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True, timeout=30)
