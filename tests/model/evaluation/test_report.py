"""The report of a retrain: its JSON and its picture."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.evaluation import report
from model.evaluation.compare import compare
from model.evaluation.promotion import PromotionTest, judge
from model.outcome import TrainingOutcome
from tests.model.evaluation.test_compare import encoded


@pytest.fixture(scope="module")
def trial() -> PromotionTest:
    base, adapter = encoded(0, 0.6), encoded(0, 0.3)
    held_out, general = compare(base, adapter), compare(base, base)
    return PromotionTest(base.report(), adapter.report(), held_out, general, judge(held_out, general))


OUTCOMES = {
    "frame": TrainingOutcome(50, 25, [(i, 4 / i) for i in range(1, 51)], [(0, 0.5), (25, 0.6), (50, 0.55)]),
    "motion": TrainingOutcome(1, 0, [(1, 3.0)], []),
}


def test_a_report_is_read_back_with_all_its_figures(trial: PromotionTest, tmp_path: Path) -> None:
    """Verdict, both reports, intervals and curves are in the JSON, and what was said besides."""
    report.write(trial, OUTCOMES, {"preset": "starter"}, tmp_path / "new")
    found = json.loads((tmp_path / "new" / report.JSON).read_text())
    assert (found["better"], found["preset"]) == (True, "starter")
    assert found["verdict"]["reasons"][0]["finding"] == "better"
    assert found["adapter"]["text_to_image"]["r5"] == trial.adapter.text_to_image.r5
    assert found["held_out"]["text_to_image"]["mrr"]["interval"] == list(trial.held_out.text_to_image["mrr"].interval)
    assert found["training"]["frame"]["validation"][1] == [25, 0.6]


def test_the_picture_is_one_of_its_size_and_shows_what_changed(trial: PromotionTest, tmp_path: Path) -> None:
    """1,200 by 800 pixels on a light ground; a verdict the other way gives another picture."""
    report.write(trial, OUTCOMES, {}, tmp_path)
    with Image.open(tmp_path / report.PICTURE) as image:
        better = np.asarray(image.convert("RGB"))
    assert better.shape == (800, 1200, 3)
    assert better[2, 2].min() > 240
    worse = replace(trial, verdict=judge(trial.general, trial.general))
    report.write(worse, OUTCOMES, {}, tmp_path)
    with Image.open(tmp_path / report.PICTURE) as image:
        changed = (np.asarray(image.convert("RGB")) != better).any(2)
    assert changed[:100, :400].any()
    assert not changed[100:].any()


def test_a_run_without_any_curve_has_a_picture_too(trial: PromotionTest, tmp_path: Path) -> None:
    """A run stopped early, or without validation pairs, is reported as well."""
    report.write(trial, {"frame": TrainingOutcome(0, 0, [], [])}, {}, tmp_path)
    assert (tmp_path / report.PICTURE).stat().st_size > 10_000


def test_drawing_is_only_loaded_where_something_is_drawn() -> None:
    """Those who only judge never load matplotlib."""
    code = "import sys, model.evaluation.promotion, model.evaluation.general_set; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
