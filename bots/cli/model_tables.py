"""Tables and sentences about evaluated and trained models, and about the files that describe a training run."""

import re
from collections.abc import Mapping
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.table import Table

from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate

if TYPE_CHECKING:
    from model.evaluation.compare import Comparison
    from model.evaluation.metrics import EvaluationReport
    from model.evaluation.promotion import PromotionTest


def render_report(report: "EvaluationReport") -> RenderableType:
    """Return the retrieval metrics of a model, and the shape of its vector space."""
    ranks = _create_table(
        "R@1",
        "R@5",
        "R@10",
        "MRR",
        translate(CliMsg.COLUMN_MEDIAN_RANK),
        translate(CliMsg.COLUMN_MEAN_RANK),
        translate(CliMsg.COLUMN_QUERIES),
        translate(CliMsg.COLUMN_CANDIDATES),
    )
    for name, metrics in (
        (CliMsg.TEXT_TO_PICTURE, report.text_to_image),
        (CliMsg.PICTURE_TO_TEXT, report.image_to_text),
    ):
        ranks.add_row(
            translate(name),
            _format_share(metrics.r1, metrics.r1_interval),
            _format_share(metrics.r5, metrics.r5_interval),
            _format_share(metrics.r10, metrics.r10_interval),
            f"{metrics.mrr:.3f}",
            f"{metrics.median_rank:g}",
            f"{metrics.mean_rank:.1f}",
            f"{metrics.queries:,}",
            f"{metrics.candidates:,}",
        )
    shape = _create_table(
        translate(CliMsg.COLUMN_ALIGNMENT), translate(CliMsg.COLUMN_UNIFORMITY), translate(CliMsg.COLUMN_SINGULAR_VALUE)
    )
    for name, uniformity, spectrum in (
        (CliMsg.TEXTS, report.uniformity_text, report.spectrum_text),
        (CliMsg.PICTURES, report.uniformity_image, report.spectrum_image),
    ):
        shape.add_row(translate(name), f"{report.alignment:.3f}", f"{uniformity:.3f}", f"{spectrum[0]:.1%}")
    return Group(ranks, "", shape)


def render_comparison(comparison: "Comparison") -> RenderableType:
    """Return the metrics of a base model and an adapter, and their difference with its interval."""
    table = _create_table(
        translate(CliMsg.COLUMN_MEASURE),
        translate(CliMsg.COLUMN_BASE),
        translate(CliMsg.COLUMN_ADAPTER),
        translate(CliMsg.COLUMN_DIFFERENCE),
    )
    for direction, differences in (
        (CliMsg.TEXT_TO_PICTURE, comparison.text_to_image),
        (CliMsg.PICTURE_TO_TEXT, comparison.image_to_text),
    ):
        name = translate(direction)
        for measure, difference in differences.items():
            low, high = difference.interval
            value = f"{difference.value:+.3f} ({low:+.3f} … {high:+.3f})"
            table.add_row(name, measure.upper(), f"{difference.base:.3f}", f"{difference.adapter:.3f}", value)
            name = ""
    return table


def describe_decision(test: "PromotionTest") -> str:
    """Return one sentence: that the adapter is better, or the strongest reason why not."""
    from model.evaluation.promotion import Criterion

    sentences = {
        Criterion.TOO_FEW: CliMsg.ADAPTER_TOO_FEW,
        Criterion.NOT_BETTER: CliMsg.ADAPTER_NOT_BETTER,
        Criterion.WORSE_IMAGE_TO_TEXT: CliMsg.ADAPTER_WORSE_BACK,
        Criterion.FORGOT: CliMsg.ADAPTER_FORGOT,
        Criterion.BETTER: CliMsg.ADAPTER_BETTER,
    }
    reasons = {reason.criterion: reason for reason in test.decision.reasons}
    decisive = next(
        criterion
        for criterion in sentences
        if criterion in reasons and (criterion is not Criterion.BETTER or test.decision.is_better)
    )
    difference = reasons[decisive].difference
    low, high = difference.interval
    return translate(
        sentences[decisive],
        before=f"{difference.base:.3f}",
        after=f"{difference.adapter:.3f}",
        low=f"{low:+.3f}",
        high=f"{high:+.3f}",
        sources=reasons[decisive].sources,
    )


def _create_table(*columns: str) -> Table:
    """Return a table whose first column has the names of the rows."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _format_share(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def explain_run_error(error: TOMLDecodeError | ValidationError) -> str:
    """Return the first mistake in a run file."""
    if isinstance(error, ValidationError):
        return _explain_field(error.errors()[0])
    place = re.search(r"line (\d+), column (\d+)", str(error))
    if place is None:
        return translate(CliMsg.RUN_CUT_OFF)
    return translate(CliMsg.RUN_NOT_TOML, line=place[1], column=place[2])


def _explain_field(mistake: Mapping[str, Any]) -> str:
    field, value, context = ".".join(map(str, mistake["loc"])), mistake["input"], mistake.get("ctx", {})
    match mistake["type"]:
        case "missing":
            return translate(CliMsg.RUN_FIELD_MISSING, field=field)
        case "extra_forbidden":
            return translate(CliMsg.RUN_FIELD_UNKNOWN, field=field)
        case "literal_error":
            choices = context["expected"].replace(" or ", ", ")
            return translate(CliMsg.RUN_FIELD_CHOICE, field=field, choices=choices, value=repr(value))
        case kind if kind in _LIMITS:
            name, sign = _LIMITS[kind]
            return translate(CliMsg.RUN_FIELD_LIMITED, field=field, limit=f"{sign} {context[name]:g}", value=value)
        case _:
            return translate(CliMsg.RUN_FIELD_WRONG, field=field, value=repr(value))


_LIMITS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", "≥"),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "≤"),
}
"""Of each kind of pydantic's errors about a limit: the name of the limit in the error's context, and its sign."""
