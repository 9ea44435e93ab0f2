"""A certificate authority for tests: self-signed, for 127.0.0.1 only, valid for a hundred years."""

import ssl
from pathlib import Path
from typing import Final

CERTIFICATE: Final = """\
-----BEGIN CERTIFICATE-----
MIIBrTCCAVKgAwIBAgIUNhI4YuxO5WN4kiSiaUkKctvFbwQwCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXUmVlbHNlZWsgdGVzdCBhdXRob3JpdHkwIBcNMjYxMTMwMTgz
MDIxWhgPMjEyNjExMDYxODMwMjFaMCIxIDAeBgNVBAMMF1JlZWxzZWVrIHRlc3Qg
YXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBzGtaEpkgFCqOjMv
RJSMNEI0MW1LMtQoP52w+RtaYB/fUjEfnWLg483LyerGKvor1PaWUJPs+WlOo0Yb
uAlp+KNkMGIwHQYDVR0OBBYEFPj3fzGLLnEmX4rEzlLDBkAXHsUiMB8GA1UdIwQY
MBaAFPj3fzGLLnEmX4rEzlLDBkAXHsUiMA8GA1UdEQQIMAaHBH8AAAEwDwYDVR0T
AQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA4KbXDjYdDtcke7NQ00nJ0MLV
spuBVWe+Rk2HKhzugxYCIQD+GRr9IFTGbVtSVfAVDC2R82MDTj0KPh4yUQ7VnuSf
gQ==
-----END CERTIFICATE-----
"""
KEY: Final = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUUg7XvTeXdTEKUmu
kDls7vJzcY0AYLXvyyAXhT3snnGhRANCAAQHMa1oSmSAUKo6My9ElIw0QjQxbUsy
1Cg/nbD5G1pgH99SMR+dYuDjzcvJ6sYq+ivU9pZQk+z5aU6jRhu4CWn4
-----END PRIVATE KEY-----
"""


def build_server_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the TLS context of a server on 127.0.0.1, and the file of the authority that a client has to trust."""
    certificate, key = folder / "authority.pem", folder / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
