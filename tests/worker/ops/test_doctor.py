"""The doctor's checks of an installation."""

import json
import os
import shutil
import sys
from pathlib import Path

import certifi
import pytest

from bots.commands.doctor import describe_check
from indexer.blobs import BlobStore
from indexer.errors import SiteUnreachableError
from indexer.generation_id import GenerationId
from indexer.sandbox.guard import HostResolver
from model.evaluation.published import read_published_figures
from model.loader import compute_generation
from model.preset_files import find_preset
from model.presets import STARTER_TEXT_MAP
from tests.support.servers.network import free_port
from worker.ops.doctor import run_checks
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome
from worker.ops.doctor_library import check_library
from worker.ops.doctor_network import CERTIFICATE_VARIABLES
from worker.settings import Settings


def check_all(settings: Settings) -> dict[DoctorCheckName, DoctorCheck]:
    return {check.name: check for check in run_checks(settings)}


@pytest.mark.usefixtures("no_dotenv")
def test_complete_installation_passes_every_check(tmp_path: Path) -> None:
    checks = check_all(Settings(data_dir=tmp_path))
    assert [check for check in checks.values() if not check.is_ok] == []


@pytest.mark.usefixtures("no_dotenv")
def test_model_check_contains_the_published_figures_of_the_preset(tmp_path: Path) -> None:
    """The starter has figures for each language. A preset that was not measured has none."""
    starter = check_all(Settings(data_dir=tmp_path))[DoctorCheckName.MODEL].parameters
    figures = read_published_figures("starter")
    assert figures is not None
    assert (starter["preset"], starter["figures"]) == ("starter", figures)
    base = check_all(Settings(data_dir=tmp_path, preset="base"))[DoctorCheckName.MODEL]
    assert base.outcome is DoctorOutcome.MODEL_FROM_HUB
    assert base.parameters == {"preset": "base", "figures": None}


def test_published_figures_are_those_of_the_model_card() -> None:
    """They are in the table of docs/starter-model.md, language by language."""
    card = (Path(__file__).parents[3] / "docs" / "starter-model.md").read_text(encoding="utf-8")
    through_the_product = card.partition("Through the product's own index and search")[2]
    figures = read_published_figures("starter")
    assert figures
    for language, share in figures.first.items():
        row = f"| {language} | {share:.3f} | {figures.among_five[language]:.3f} |".replace(" 0.", " .")
        assert row in through_the_product


@pytest.mark.usefixtures("no_dotenv")
def test_missing_parts_fail_with_what_a_fix_needs(tmp_path: Path) -> None:
    """An unwritable data folder, missing model files, and servers that do not answer are all reported."""
    (tmp_path / "file").touch()
    checks = check_all(
        Settings.model_validate(
            {
                "data_dir": tmp_path / "file" / "data",
                "parts_dir": tmp_path,
                "redis_url": f"redis://127.0.0.1:{free_port()}/0",
                "qdrant_url": f"http://127.0.0.1:{free_port()}",
                "signing_key": "k" * 32,
            }
        )
    )
    failed = {name: check for name, check in checks.items() if not check.is_ok}
    assert {name: check.outcome for name, check in failed.items()} == {
        DoctorCheckName.DATA_FOLDER: DoctorOutcome.DATA_FOLDER_UNWRITABLE,
        DoctorCheckName.MODEL: DoctorOutcome.MODEL_MISSING,
        DoctorCheckName.SAMPLES: DoctorOutcome.SAMPLES_MISSING,
        DoctorCheckName.BLOB_STORE: DoctorOutcome.BLOB_STORE_UNAVAILABLE,
        DoctorCheckName.REDIS: DoctorOutcome.REDIS_UNAVAILABLE,
        DoctorCheckName.QDRANT: DoctorOutcome.QDRANT_UNAVAILABLE,
    }
    assert all(check.parameters for check in failed.values())
    command = f"python -m model.starter.artifacts --into {tmp_path}"
    assert failed[DoctorCheckName.MODEL].parameters["command"] == command
    assert failed[DoctorCheckName.SAMPLES].parameters["command"] == command


@pytest.mark.usefixtures("no_dotenv")
def test_check_of_a_package_that_is_not_installed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot's machine does not have torch and does not need it."""
    monkeypatch.setitem(sys.modules, "torch", None)
    device = check_all(Settings(data_dir=tmp_path))[DoctorCheckName.DEVICE]
    assert (device.outcome, device.is_ok) == (DoctorOutcome.NOT_INSTALLED, True)
    assert device.parameters == {"module": "torch"}


def test_redis_with_append_only_file_passes(clean_redis: str, tmp_path: Path) -> None:
    settings = {"data_dir": tmp_path, "redis_url": clean_redis, "signing_key": "k" * 32}
    assert check_all(Settings.model_validate(settings))[DoctorCheckName.REDIS].outcome is DoctorOutcome.REDIS_READY


def resolver(*addresses: str) -> HostResolver:
    return lambda host: list(addresses)


def find_check(settings: Settings, name: DoctorCheckName, resolve: HostResolver | None = None) -> DoctorCheck:
    [check] = [check for check in run_checks(settings, resolve or resolver("8.8.8.8")) if check.name is name]
    return check


@pytest.mark.usefixtures("no_dotenv")
@pytest.mark.parametrize(
    ("addresses", "network"),
    [(("198.18.0.7",), "198.18.0.0/15"), (("8.8.8.8", "fc00::12"), "fc00::12"), (("0.0.0.0",), "0.0.0.0")],
)
def test_network_that_answers_with_fake_addresses_is_reported(
    tmp_path: Path, addresses: tuple[str, ...], network: str
) -> None:
    """The advice names the network to allow; then nothing is reported any more."""
    found = find_check(Settings(data_dir=tmp_path), DoctorCheckName.NETWORK, resolver(*addresses))
    assert found.outcome is DoctorOutcome.NETWORK_FAKE
    assert found.parameters["network"] == network
    advice = describe_check(found).advice
    assert advice is not None
    assert f"REELSEEK_ALLOW_NETWORKS='[\"{network}\"]'" in advice
    allowed = Settings.model_validate({"data_dir": tmp_path, "allow_networks": [network]})
    assert find_check(allowed, DoctorCheckName.NETWORK, resolver(*addresses)).is_ok


@pytest.mark.usefixtures("no_dotenv")
def test_network_check_passes_without_names_or_behind_a_proxy(tmp_path: Path) -> None:
    """A machine without the internet can search. Behind a proxy, only the proxy needs to resolve names."""

    def fail(host: str) -> list[str]:
        raise SiteUnreachableError(host)

    found = find_check(Settings(data_dir=tmp_path), DoctorCheckName.NETWORK, fail)
    assert (found.outcome, found.is_ok) == (DoctorOutcome.NETWORK_NO_NAMES, True)
    proxied = Settings(data_dir=tmp_path, fetch_proxy="http://user:secret@proxy:3128")
    found = find_check(proxied, DoctorCheckName.NETWORK, resolver("198.18.0.7"))
    assert (found.outcome, found.parameters) == (DoctorOutcome.NETWORK_PROXY, {"proxy": "http://proxy:3128"})


@pytest.mark.usefixtures("no_dotenv")
def test_network_check_knows_the_proxy_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy:3128")
    found = find_check(Settings(data_dir=tmp_path), DoctorCheckName.NETWORK, resolver("198.18.0.7"))
    assert (found.outcome, found.parameters) == (DoctorOutcome.NETWORK_PROXY, {"proxy": "http://proxy:3128"})


@pytest.mark.usefixtures("no_dotenv")
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificate_authorities_that_cannot_be_read_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A missing file, and one without certificates. Without such a setting there is no check."""
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert DoctorCheckName.CERTIFICATES not in check_all(Settings(data_dir=tmp_path))
    (tmp_path / "empty.pem").touch()
    for file in ("missing.pem", "empty.pem"):
        monkeypatch.setenv(variable, str(tmp_path / file))
        found = find_check(Settings(data_dir=tmp_path), DoctorCheckName.CERTIFICATES)
        assert found.outcome is DoctorOutcome.CERTIFICATES_UNUSABLE
        assert (found.parameters["variable"], found.parameters["path"]) == (variable, tmp_path / file)
    monkeypatch.setenv(variable, certifi.where())
    assert find_check(Settings(data_dir=tmp_path), DoctorCheckName.CERTIFICATES).is_ok


@pytest.mark.usefixtures("no_dotenv")
def test_folder_in_which_openssl_finds_no_certificate_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL looks for them by a hash in their file names, in all folders of a list."""
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "company.crt").write_text(Path(certifi.where()).read_text())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    found = find_check(Settings(data_dir=tmp_path), DoctorCheckName.CERTIFICATES)
    assert found.outcome is DoctorOutcome.CERTIFICATES_UNUSABLE
    assert "openssl rehash" in str(found.parameters["error"])
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "5ed36f99.0").touch()
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}{os.pathsep}{tmp_path / 'certs'}")
    assert find_check(Settings(data_dir=tmp_path), DoctorCheckName.CERTIFICATES).is_ok


@pytest.mark.usefixtures("no_dotenv")
def test_library_is_compared_with_the_presets_that_are_here(tmp_path: Path) -> None:
    """The store may be owned by a running process meanwhile. Another preset in the settings is no fault."""
    settings = Settings(data_dir=tmp_path)
    assert find_check(settings, DoctorCheckName.LIBRARY).outcome is DoctorOutcome.LIBRARY_EMPTY
    gone, large = GenerationId("starter-00000000"), GenerationId(compute_generation(find_preset("large"), None))
    for generation, outcome in {
        GenerationId(compute_generation(find_preset("starter"), None)): DoctorOutcome.LIBRARY_FITS,
        gone: DoctorOutcome.LIBRARY_MODEL_GONE,
        large: DoctorOutcome.LIBRARY_OTHER_PRESET,
        GenerationId("mine-12345678"): DoctorOutcome.LIBRARY_MODEL_GONE,
    }.items():
        (tmp_path / "vectors").mkdir(exist_ok=True)
        aliases = {"moments": generation.collection_name}
        (tmp_path / "vectors" / "aliases.json").write_text(json.dumps(aliases))
        found = find_check(settings, DoctorCheckName.LIBRARY)
        assert (found.outcome, found.is_ok) == (outcome, outcome is not DoctorOutcome.LIBRARY_MODEL_GONE)
        assert str(generation) in describe_check(found).detail
    BlobStore(settings.blobs_address).put(f"adapters/{gone}/adapter.json", b"{}")
    (tmp_path / "vectors" / "aliases.json").write_text(json.dumps({"moments": gone.collection_name}))
    assert find_check(settings, DoctorCheckName.LIBRARY).outcome is DoctorOutcome.LIBRARY_FITS


@pytest.mark.usefixtures("no_dotenv")
def test_newer_starter_is_reported_after_an_upgrade(tmp_path: Path) -> None:
    """The former weights go on searching the library, so that nothing has to be fixed."""
    former = compute_generation(find_preset("starter"), None)
    shutil.copy(STARTER_TEXT_MAP, tmp_path / f"{former}.safetensors")
    (tmp_path / "starter.safetensors").write_bytes(STARTER_TEXT_MAP.read_bytes() + b"newer")
    (tmp_path / "vectors").mkdir()
    aliases = {"moments": GenerationId(former).collection_name}
    (tmp_path / "vectors" / "aliases.json").write_text(json.dumps(aliases))
    found = check_library(Settings(data_dir=tmp_path), weights_dir=tmp_path)
    assert (found.outcome, found.is_ok) == (DoctorOutcome.LIBRARY_NEWER_WEIGHTS, True)
    assert "`reelseek model use starter`" in describe_check(found).detail
