"""A service account's signed statement, as control_plane/credentials/google.rs makes it, judged by Google's own library.

`assertion.txt` is what the Rust tests make of the key and a fixed time (GOLDEN=update writes it): the signature's kind is deterministic.
"""

import pathlib

from cryptography.hazmat.primitives import serialization
from google.auth import crypt, jwt
from google.oauth2 import service_account

ASSERTION = pathlib.Path(__file__).with_name("assertion.txt").read_text().strip()
KEY = pathlib.Path(__file__).parents[2] / "keys/service-account.der"


def private_key():
    return serialization.load_der_private_key(KEY.read_bytes(), password=None)


def test_it_is_signed_by_the_accounts_key():
    pem = (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header, claims, signed, signature = jwt._unverified_decode(ASSERTION)
    assert crypt.verify_signature(signed, signature, pem)
    assert not crypt.verify_signature(signed + b"x", signature, pem)
    assert claims["exp"] - claims["iat"] == 3600


def test_it_says_what_googles_library_says():
    pem = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    header, claims, _, _ = jwt._unverified_decode(ASSERTION)
    theirs = service_account.Credentials(
        crypt.RSASigner.from_string(pem, key_id=header["kid"]),
        claims["iss"],
        "https://oauth2.googleapis.com/token",
        scopes=["https://www.googleapis.com/auth/cloud-platform"],
    )
    their_header, their_claims, _, _ = jwt._unverified_decode(theirs._make_authorization_grant_assertion())
    assert header == their_header
    untimed = {"iat": 0, "exp": 0}
    assert claims | untimed == their_claims | untimed
