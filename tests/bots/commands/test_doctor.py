"""Findings of the doctor in words."""

import pytest

from bots.commands.doctor import check_terminal, describe_check
from bots.i18n.translate import LANGUAGES, use_locale
from indexer.senses import Sense
from model.evaluation.published import PublishedFigures
from worker.ops.doctor_checks import DoctorCheck, DoctorCheckName, DoctorOutcome

PARAMETERS = {
    "folder": "/data",
    "free_gb": 5,
    "error": OSError("no space"),
    "preset": "starter",
    "figures": None,
    "command": "fetch",
    "count": 3,
    "name": "GPU",
    "threads": 2,
    "address": "/blobs",
    "runtime": "deno",
    "version": "7",
    "collections": 1,
    "url": "http://qdrant",
    "module": "torch",
    "proxy": "http://proxy",
    "host": "site",
    "addresses": "198.18.0.1",
    "network": "198.18.0.0/15",
    "variable": "SSL_CERT_FILE",
    "path": "/ca.pem",
    "stored": "large",
    "senses": [Sense.SAID, Sense.HEARD],
    "failed_senses": {Sense.SHOWN: 3},
    "generation": "starter-1",
    "has_adapter": True,
    "why": "the file is damaged",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", DoctorOutcome)
def test_every_outcome_has_a_detail_in_every_language(language: str, outcome: DoctorOutcome) -> None:
    with use_locale(language):
        line = describe_check(DoctorCheck(DoctorCheckName.MODEL, outcome, PARAMETERS))
    assert line.detail
    assert "{" not in line.detail


@pytest.mark.parametrize("outcome", DoctorOutcome)
def test_exactly_failed_checks_have_advice(outcome: DoctorOutcome) -> None:
    line = describe_check(DoctorCheck(DoctorCheckName.MODEL, outcome, PARAMETERS))
    assert line.is_ok is (line.advice is None)


@pytest.mark.parametrize("name", DoctorCheckName)
def test_every_check_has_a_name(name: DoctorCheckName) -> None:
    assert describe_check(DoctorCheck(name, DoctorOutcome.SAMPLES_READY, {"count": 1})).name


def test_figures_name_their_languages_in_the_current_language() -> None:
    figures = PublishedFigures(clips=10, first={"Korean": 0.5}, among_five={"Korean": 0.9})
    check = DoctorCheck(DoctorCheckName.MODEL, DoctorOutcome.MODEL_READY, PARAMETERS | {"figures": figures})
    with use_locale("ko"):
        assert "한국어" in describe_check(check).detail


@pytest.mark.parametrize(("encoding", "is_ok"), [("utf-8", True), ("UTF8", True), ("euc_kr", False), ("ascii", False)])
def test_terminal_without_unicode_is_reported(encoding: str, is_ok: bool) -> None:
    line = check_terminal(encoding)
    assert line.is_ok is is_ok
    assert encoding in line.detail
    assert (line.advice is None) is is_ok
