"""The doctor's checks of the network: addresses of sites, and certificate authorities."""

import os
import re
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from indexer.errors import AddressRefusedError, FakeAddressError, IndexerError
from indexer.sandbox.guard import Address, HostResolver, SsrfGuard
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome
from worker.settings import Settings

PUBLIC_HOST: Final = "www.youtube.com"
"""A site whose addresses are public everywhere."""
RESOLVE_TIMEOUT_S: Final = 5.0
FAKE_NETWORK: Final = "198.18.0.0/15"
CERTIFICATE_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Environment variables that replace the certificate authorities of everything that downloads."""

_HASHED_NAME: Final = re.compile(r"[0-9a-f]{8}\.\d+")


def check_network(settings: Settings, resolve: HostResolver) -> DoctorCheck:
    """Check that names of sites lead to addresses that links may reach."""
    name = DoctorCheckName.NETWORK
    guard = SsrfGuard(settings.allow_networks, settings.fetch_proxy)
    if proxy := guard.choose_proxy(f"https://{PUBLIC_HOST}/"):
        return DoctorCheck(name, DoctorOutcome.NETWORK_PROXY, {"proxy": _without_password(proxy)})
    addresses = _resolve_in_time(resolve)
    if not addresses:
        return DoctorCheck(name, DoctorOutcome.NETWORK_NO_NAMES)
    for address in addresses:
        try:
            guard.check_address(address)
        except AddressRefusedError as error:
            network = FAKE_NETWORK if isinstance(error, FakeAddressError) and address.version == 4 else f"{address}"
            parameters = {"host": PUBLIC_HOST, "addresses": ", ".join(map(str, addresses)), "network": network}
            return DoctorCheck(name, DoctorOutcome.NETWORK_FAKE, parameters)
    return DoctorCheck(name, DoctorOutcome.NETWORK_READY)


def list_certificate_paths() -> Mapping[str, Path]:
    """Return the paths of those `CERTIFICATE_VARIABLES` that are set."""
    return {name: Path(path) for name in CERTIFICATE_VARIABLES if (path := os.environ.get(name))}


def check_certificates() -> DoctorCheck:
    """Check that the certificate authorities that the environment names can be read."""
    name = DoctorCheckName.CERTIFICATES
    for variable, path in list_certificate_paths().items():
        parameters = {"variable": variable, "path": path}
        try:
            _load_authorities(path)
        except OSError as error:  # `ssl.SSLError` is one
            return DoctorCheck(name, DoctorOutcome.CERTIFICATES_UNUSABLE, {**parameters, "error": error})
    return DoctorCheck(name, DoctorOutcome.CERTIFICATES_READY, parameters)


def _load_authorities(path: Path) -> None:
    """Raise `OSError` unless the path is a PEM file with certificates, or a folder of such in which OpenSSL finds them.

    OpenSSL looks for certificates by a hash in their file names (`openssl rehash`). It accepts a list of folders.
    """
    folders = [folder for each in str(path).split(os.pathsep) if (folder := Path(each)).is_dir()]
    if folders:
        if not any(_HASHED_NAME.fullmatch(file.name) for folder in folders for file in folder.iterdir()):
            raise FileNotFoundError("no certificate is named by its hash (`openssl rehash`)")
    else:
        path.open("rb").close()
        ssl.create_default_context(cafile=str(path))


def _resolve_in_time(resolve: HostResolver) -> list[Address]:
    """Resolve `PUBLIC_HOST`. Returns nothing if that fails or takes longer than `RESOLVE_TIMEOUT_S`."""
    executor = ThreadPoolExecutor(1)
    try:
        found = executor.submit(lambda: list(resolve(PUBLIC_HOST))).result(RESOLVE_TIMEOUT_S)
        return [ip_address(each) for each in found]
    except (IndexerError, TimeoutError):
        return []
    finally:
        executor.shutdown(wait=False)


def _without_password(proxy: str) -> str:
    scheme, _, rest = proxy.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme else rest.rpartition("@")[2]
