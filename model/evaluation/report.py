"""The report of a retrain: `report.json`, and a picture of it, `report.png`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from model.evaluation.compare import Difference
from model.evaluation.metrics import RetrievalMetrics
from model.evaluation.promotion import MARGIN, PromotionTest
from model.outcome import TrainingOutcome

JSON_FILE = "report.json"
PICTURE_FILE = "report.png"

_BACKGROUND, _INK, _MUTED, _GRID = "#fbfbfd", "#1b1e29", "#6b7080", "#e4e6ee"
_BASE, _ADAPTER, _NEGATIVE = "#aab1c8", "#4a5bdc", "#d9822b"


def write_report(
    test: PromotionTest, outcomes: Mapping[str, TrainingOutcome], facts: Mapping[str, object], folder: Path
) -> None:
    """Write the report into `folder`.

    `outcomes` are those of `model.training.train` by role. `facts` are further entries for the JSON file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_FILE).write_text(json.dumps(build_json(test, outcomes, facts), indent=1), encoding="utf-8")
    draw_report(test, outcomes).savefig(folder / PICTURE_FILE)


def build_json(
    test: PromotionTest, outcomes: Mapping[str, TrainingOutcome], facts: Mapping[str, object]
) -> dict[str, object]:
    """Return figures only: no texts of users."""
    curves = {role: asdict(outcome) for role, outcome in outcomes.items()}
    return {"better": test.decision.is_better, **facts, **asdict(test), "training": curves}


def draw_report(test: PromotionTest, outcomes: Mapping[str, TrainingOutcome]) -> Figure:
    """Draw a picture of 1,200 by 800 pixels with its own background, because chats are dark or light."""
    figure = Figure(figsize=(12, 8), dpi=100, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    upper = figure.add_gridspec(1, 2, left=0.075, right=0.965, top=0.815, bottom=0.535, wspace=0.28)
    lower = figure.add_gridspec(1, 2, left=0.075, right=0.9, top=0.375, bottom=0.085, wspace=0.52)
    _draw_header(figure, test)
    _draw_curves(_style_panel(figure.add_subplot(upper[0]), "Training"), outcomes)
    _draw_recall(_style_panel(figure.add_subplot(upper[1]), "Held-out pairs found among the first 1, 5, 10"), test)
    _draw_spectrum(
        _style_panel(figure.add_subplot(lower[0]), "Singular values of the pictures, shares of their sum"), test
    )
    _draw_differences(_style_panel(figure.add_subplot(lower[1]), "Adapter minus base, 95 % interval"), test)
    return figure


def _draw_header(figure: Figure, test: PromotionTest) -> None:
    word, colour = ("Better", _ADAPTER) if test.decision.is_better else ("Not better", _NEGATIVE)
    figure.text(0.035, 0.925, word, color=colour, size=24, weight="bold")
    figure.text(0.035, 0.888, "  ·  ".join(_summarize(test)), color=_MUTED, size=11.5)
    names = [Patch(color=_BASE, label="base"), Patch(color=_ADAPTER, label="adapter")]
    figure.legend(
        handles=names,
        loc="upper right",
        bbox_to_anchor=(0.975, 0.975),
        ncols=2,
        frameon=False,
        fontsize=12,
        labelcolor=_INK,
    )


def _summarize(test: PromotionTest) -> list[str]:
    held_out = test.held_out
    return [
        f"{held_out.texts:,} held-out texts, {held_out.images:,} pictures or clips of {held_out.sources:,} sources",
        f"general set of {test.general.texts:,} texts, {test.general.images:,} pictures and clips",
    ]


def _style_panel(axes: Axes, title: str) -> Axes:
    axes.set_title(title, loc="left", color=_INK, size=12.5, weight="bold", pad=12)
    axes.set_facecolor(_BACKGROUND)
    axes.tick_params(colors=_MUTED, labelsize=10, length=0)
    axes.grid(color=_GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    return axes


def _draw_curves(axes: Axes, outcomes: Mapping[str, TrainingOutcome]) -> None:
    """Draw the loss (left axis) and the validation figure (right axis). Curves of a second role are dashed."""
    right = axes.twinx()
    for dashes, outcome in zip(("-", "--"), outcomes.values(), strict=False):
        if outcome.losses:
            axes.plot(*zip(*outcome.losses, strict=True), color=_BASE, linewidth=2.2, linestyle=dashes)
        if outcome.validation:
            right.plot(
                *zip(*outcome.validation, strict=True),
                "o",
                color=_ADAPTER,
                linewidth=2.2,
                linestyle=dashes,
                markersize=5,
            )
    right.tick_params(colors=_ADAPTER, labelsize=10, length=0)
    right.spines[:].set_visible(False)
    right.set_ylabel("validation, MRR", color=_ADAPTER, size=10)
    axes.set_ylabel("loss", color=_MUTED, size=10)
    axes.set_xlabel("step", color=_MUTED, size=10)


def _draw_recall(axes: Axes, test: PromotionTest) -> None:
    """Draw bars with intervals: text to picture on the left, picture to text on the right."""
    places = np.array([0, 1, 2, 3.6, 4.6, 5.6])
    for shift, report, colour in ((-0.2, test.base, _BASE), (0.2, test.adapter, _ADAPTER)):
        shares, whiskers = _compute_shares((report.text_to_image, report.image_to_text))
        axes.bar(places + shift, shares, 0.38, color=colour)
        axes.errorbar(places + shift, shares, whiskers, fmt="none", ecolor=_INK, elinewidth=1, alpha=0.55)
        for place, share, top in zip(places + shift, shares, shares + whiskers[1], strict=True):
            axes.text(place, top + 0.02, f"{share:.2f}".lstrip("0"), ha="center", color=_INK, size=9)
    axes.set_xticks(places, ["R@1", "R@5", "R@10"] * 2)
    axes.set_ylim(0, 1.18)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.grid(visible=False, axis="x")
    for place, name in ((1, "text to picture"), (4.6, "picture to text")):
        axes.text(place, -0.19, name, ha="center", color=_MUTED, size=10)


def _compute_shares(found: Sequence[RetrievalMetrics]) -> tuple[np.ndarray, np.ndarray]:
    """Return R@1, R@5 and R@10 of each (n,), and the lengths of their intervals below and above (2, n)."""
    rows = [
        row
        for one in found
        for row in ((one.r1, *one.r1_interval), (one.r5, *one.r5_interval), (one.r10, *one.r10_interval))
    ]
    shares, low, high = np.array(rows).T
    return shares, np.clip([shares - low, high - shares], 0, None)


def _draw_spectrum(axes: Axes, test: PromotionTest) -> None:
    for values, colour, width in (
        (test.base.spectrum_image, _BASE, 6.0),  # wide, so that it shows behind an identical curve
        (test.adapter.spectrum_image, _ADAPTER, 2.2),
    ):
        shares = np.array([value for value in values if value > 1e-6])
        axes.loglog(np.arange(1, len(shares) + 1), shares, color=colour, linewidth=width)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
    axes.set_xlabel("rank", color=_MUTED, size=10)


def _draw_differences(axes: Axes, test: PromotionTest) -> None:
    rows: list[tuple[str, Difference]] = [
        ("text to picture, MRR", test.held_out.text_to_image["mrr"]),
        ("R@1", test.held_out.text_to_image["r1"]),
        ("R@5", test.held_out.text_to_image["r5"]),
        ("picture to text, MRR", test.held_out.image_to_text["mrr"]),
        ("general set, MRR", test.general.text_to_image["mrr"]),
    ]
    axes.axvline(0, color=_INK, linewidth=1.2)
    axes.plot([-MARGIN, -MARGIN], [3.65, 4.35], color=_NEGATIVE, linewidth=1.6, linestyle=(0, (3, 2)))
    for row, (_, difference) in enumerate(rows):
        bounds = difference.interval
        colour = _ADAPTER if bounds[0] > 0 else _NEGATIVE if bounds[1] < 0 else _MUTED
        axes.plot(bounds, [row, row], color=colour, linewidth=4, alpha=0.35, solid_capstyle="round")
        axes.plot(difference.value, row, "o", color=colour, markersize=9)
        axes.text(
            1.01, row, f"{difference.value:+.3f}", transform=axes.get_yaxis_transform(), va="center", color=colour
        )
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(4.6, -0.6)
    reach = 1.1 * max(0.06, *(abs(bound) for _, difference in rows for bound in difference.interval))
    axes.set_xlim(-reach, reach)
    axes.grid(visible=False, axis="y")
