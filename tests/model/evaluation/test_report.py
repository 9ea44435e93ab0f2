"""The report of a retrain: JSON and picture."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.evaluation import report
from model.evaluation.compare import compare_encodings
from model.evaluation.promotion import PromotionTest, decide_promotion
from model.outcome import TrainingOutcome
from tests.support.model.colour_encoder import make_encodings


@pytest.fixture(scope="module")
def promotion_test() -> PromotionTest:
    base, adapter = make_encodings(0, 0.6), make_encodings(0, 0.3)
    held_out, general = compare_encodings(base, adapter), compare_encodings(base, base)
    return PromotionTest(base.report(), adapter.report(), held_out, general, decide_promotion(held_out, general))


OUTCOMES = {
    "frame": TrainingOutcome(50, 25, [(i, 4 / i) for i in range(1, 51)], [(0, 0.5), (25, 0.6), (50, 0.55)]),
    "motion": TrainingOutcome(1, 0, [(1, 3.0)], []),
}


def test_report_json_contains_all_figures(promotion_test: PromotionTest, tmp_path: Path) -> None:
    """It has the decision, both reports, intervals, curves and the additional facts."""
    report.write_report(promotion_test, OUTCOMES, {"preset": "starter"}, tmp_path / "new")
    found = json.loads((tmp_path / "new" / report.JSON_FILE).read_text())
    assert (found["better"], found["preset"]) == (True, "starter")
    assert found["decision"]["reasons"][0]["criterion"] == "better"
    assert found["adapter"]["text_to_image"]["r5"] == promotion_test.adapter.text_to_image.r5
    assert found["held_out"]["text_to_image"]["mrr"]["interval"] == list(
        promotion_test.held_out.text_to_image["mrr"].interval
    )
    assert found["training"]["frame"]["validation"][1] == [25, 0.6]


def test_report_picture_shows_the_decision(promotion_test: PromotionTest, tmp_path: Path) -> None:
    """It has 1,200 by 800 pixels and a light background. Another decision changes only the header."""
    report.write_report(promotion_test, OUTCOMES, {}, tmp_path)
    with Image.open(tmp_path / report.PICTURE_FILE) as image:
        better = np.asarray(image.convert("RGB"))
    assert better.shape == (800, 1200, 3)
    assert better[2, 2].min() > 240
    worse = replace(promotion_test, decision=decide_promotion(promotion_test.general, promotion_test.general))
    report.write_report(worse, OUTCOMES, {}, tmp_path)
    with Image.open(tmp_path / report.PICTURE_FILE) as image:
        changed = (np.asarray(image.convert("RGB")) != better).any(2)
    assert changed[:100, :400].any()
    assert not changed[100:].any()


def test_report_without_curves_has_a_picture(promotion_test: PromotionTest, tmp_path: Path) -> None:
    """A run may stop early, or have no validation pairs."""
    report.write_report(promotion_test, {"frame": TrainingOutcome(0, 0, [], [])}, {}, tmp_path)
    assert (tmp_path / report.PICTURE_FILE).stat().st_size > 10_000


def test_promotion_does_not_import_matplotlib() -> None:
    code = "import sys, model.evaluation.promotion, model.evaluation.general_set; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
