"""Training and judging models from the shell, without a chat or a queue."""

import json
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

import typer
from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text as Line

from bots.cli.environment import settings, terminal
from bots.connect import CommandError
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.settings import Settings

if TYPE_CHECKING:
    from model.evaluation.compare import Comparison
    from model.evaluation.metrics import Report
    from model.evaluation.promotion import PromotionTest
    from model.outcome import Step
    from model.ports import Encoder

STOPPED_STATUS: Final = 130
Tell = Callable[[str, float], None]
"""What is being done, and the share of it that is."""

app = typer.Typer()
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Preset = Annotated[str | None, typer.Option(metavar="NAME", help="The preset, if not that of the settings.")]
Adapter = Annotated[Path | None, typer.Option(file_okay=False, help="Folder of an adapter.")]
Pairs = Annotated[Path, typer.Option(metavar="FILE", help="TSV, CSV or JSONL with columns `file` and `text`.")]


@app.command()
def evaluate(pairs: Pairs, preset: Preset = None, adapter: Adapter = None, as_json: AsJson = False) -> None:
    """Measure how well texts find their pictures, and with an adapter, whether better than without."""
    found = settings()
    with _sentences(), _bar() as tell:
        from model.data.pairs import read_pairs
        from model.evaluation.compare import compare, encode

        name = _preset(found, preset)
        work = found.data_dir / "evaluation"
        read = read_pairs(pairs, work / "pictures")
        encoder = _encoder(found, name, adapter)
        encoded = encode(read, encoder, lambda share: tell("pictures", share))
        report, against = encoded.report(), None
        if adapter:
            base = encode(read, _encoder(found, name, None), lambda share: tell("pictures, base", share))
            against = compare(base, encoded)
    figures = {**report.as_json(), "generation": encoder.generation, "against_base": against and asdict(against)}
    saved = _save(work / f"{encoder.generation}-{pairs.stem}.json", figures)
    if as_json:
        print(json.dumps(figures))
        return
    terminal().answers.print(_report(report))
    if against:
        terminal().answers.print(_comparison(against))
    terminal().say(Msg.SAVED, file=saved)


@app.command()
def extract(
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="A .tsv or .parquet to write.")],
    text: Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Texts, one a line.")] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Pictures, one a line, from that file's folder.")
    ] = None,
    preset: Preset = None,
    adapter: Adapter = None,
) -> None:
    """Write the features of texts or pictures, for other systems."""
    lines = text or images
    if not lines or (text and images):
        raise typer.BadParameter(translate(Msg.TEXT_OR_IMAGES))
    found = settings()
    column: Literal["text", "file"] = "text" if text else "file"
    with _sentences(), _bar() as tell:
        from model.evaluation.features import extract as write

        encoder = _encoder(found, _preset(found, preset), adapter)
        write(encoder, lines, column, out, lambda done, all_: tell(f"{done:,} / {all_:,}", done / all_))
    terminal().say(Msg.SAVED, file=out)


@app.command()
def train(
    pairs: Pairs,
    out: Annotated[Path, typer.Option(metavar="FOLDER", file_okay=False, help="For checkpoints, adapter and report.")],
    run: Annotated[Path | None, typer.Option(metavar="RUN.toml", dir_okay=False, help="How to train.")] = None,
    preset: Preset = None,
) -> None:
    """Train an adapter on pairs, and find out whether it is better. Ctrl-C stops; the same command goes on."""
    found = settings()
    with _stoppable() as stopping, _sentences(), _bar() as tell:
        from model.config import DEFAULT, read_run
        from model.data.cleaning import clean
        from model.data.pairs import read_pairs
        from model.evaluation import general_set, report
        from model.evaluation.promotion import trial
        from model.training.loop import accelerator
        from model.training.train import train as learn

        name = _preset(found, preset)
        with accelerator(found.device).main_process_first():  # it writes pictures, the others find them
            cleaned = clean(read_pairs(pairs, out / "pictures"))
        read = cleaned.pairs
        held_out = [pair for pair in read if pair.split == "test"]
        if not held_out or not any(pair.split == "train" for pair in read):
            raise CommandError(translate(Msg.NOTHING_HELD_OUT, file=pairs))
        trained = learn(
            read_run(run or DEFAULT),
            read,
            preset=name,
            device=found.device,
            parts_dir=found.parts_dir,
            folder=out,
            progress=lambda step: tell(*_told(step)),
            stopping=stopping,
        )
        if not trained.main:
            return
        world = general_set.pairs(name, out / "general", found.parts_dir)
        base, adapter = _encoder(found, name, None), _encoder(found, name, trained.adapter)
        rest = [pair for pair in read if pair.split != "test"]
        tried = trial(base, adapter, held_out, world, lambda share: tell("comparing", share), rest)
        facts = {"preset": name, "generation": adapter.generation, "dropped_pairs": cleaned.dropped}
        report.write(tried, trained.outcomes, facts, out)
    answers = terminal().answers
    answers.print(_comparison(tried.held_out), Line(_verdict(tried), style="bold"))
    for file in (trained.adapter, out / report.JSON, out / report.PICTURE):
        terminal().say(Msg.SAVED, file=file)


@app.command()
def pretrain(
    run: Annotated[Path, typer.Argument(metavar="RUN.toml", exists=True, dir_okay=False, help="What to train.")],
    data: Annotated[Path | None, typer.Option(help="Pictures and captions, if not the run's.")] = None,
) -> None:
    """Train the starter preset's map anew, as its run file says."""
    settings()
    with _sentences():
        from model.pretraining import pretrain as training

        figures = training.run(run, data)
    for language, held_out in figures.items():
        terminal().answers.print(Line(f"{language}: {held_out}"))


def _preset(found: Settings, stated: str | None) -> str:
    names = get_args(type(found).model_fields["preset"].annotation)
    if stated and stated not in names:
        raise CommandError(translate(Msg.UNKNOWN_PRESET, name=stated, all=", ".join(names)))
    return stated or found.preset


def _encoder(found: Settings, preset: str, adapter: Path | None) -> "Encoder":
    from model.presets import load_encoder

    return load_encoder(preset, device=found.device, adapter=adapter, parts_dir=found.parts_dir)


@contextmanager
def _sentences() -> Iterator[None]:
    """What a model, a run file or the disk complains of ends the command with a sentence; the rest is for the log."""
    from model.errors import ModelError

    logging.captureWarnings(True)
    try:
        yield
    except (ModelError, OSError) as error:
        raise CommandError(str(error)) from error
    except TOMLDecodeError as error:
        raise CommandError(translate(Msg.BAD_RUN, why=error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise CommandError(translate(Msg.BAD_RUN, why=why)) from error
    finally:
        logging.captureWarnings(False)


@contextmanager
def _bar() -> Iterator[Tell]:
    """A progress bar beside the answers, gone when all is done; none where nobody looks."""
    notes = terminal().notes
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as progress:
        task = progress.add_task("", total=1)
        yield lambda what, share: progress.update(task, description=escape(what), completed=share)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came: then the work ends at its next checkpoint. A second one ends it at once."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        for each, before in olds.items():
            signal.signal(each, before)

    olds = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    except BaseException:
        if came:
            terminal().complain(translate(Msg.TRAIN_STOPPED))
            raise typer.Exit(STOPPED_STATUS) from None
        raise
    finally:
        for each, before in olds.items():
            signal.signal(each, before)


def _save(file: Path, figures: dict[str, object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return file


def _report(report: "Report") -> RenderableType:
    ranks = _table("", "R@1", "R@5", "R@10", "MRR", "median rank", "mean rank", "asked", "among")
    for name, found in (("text to picture", report.text_to_image), ("picture to text", report.image_to_text)):
        ranks.add_row(
            name,
            _share(found.r1, found.r1_interval),
            _share(found.r5, found.r5_interval),
            _share(found.r10, found.r10_interval),
            f"{found.mrr:.3f}",
            f"{found.median_rank:g}",
            f"{found.mean_rank:.1f}",
            f"{found.queries:,}",
            f"{found.candidates:,}",
        )
    shape = _table("", "alignment", "uniformity", "greatest singular value")
    for name, uniformity, spectrum in (
        ("texts", report.uniformity_text, report.spectrum_text),
        ("pictures", report.uniformity_image, report.spectrum_image),
    ):
        shape.add_row(name, f"{report.alignment:.3f}", f"{uniformity:.3f}", f"{spectrum[0]:.1%}")
    return Group(ranks, "", shape)


def _comparison(comparison: "Comparison") -> RenderableType:
    table = _table("", "measure", "base", "adapter", "difference")
    for name, found in (
        ("text to picture", comparison.text_to_image),
        ("picture to text", comparison.image_to_text),
    ):
        for measure, one in found.items():
            low, high = one.interval
            difference = f"{one.value:+.3f} ({low:+.3f} to {high:+.3f})"
            table.add_row(name, measure.upper(), f"{one.base:.3f}", f"{one.adapter:.3f}", difference)
            name = ""
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, justify="right" if table.columns else "left", no_wrap=True)
    return table


def _share(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def _told(step: "Step") -> tuple[str, float]:
    loss = "" if step.loss is None else f", {translate(Msg.LOSS, loss=f'{step.loss:.2f}')}"
    return f"{step.stage} {step.step:,} / {step.steps:,}{loss}", step.step / max(1, step.steps)


def _verdict(trial: "PromotionTest") -> str:
    """One sentence: the reason against it that weighs most, or that it is better."""
    from model.evaluation.promotion import Criterion

    sentences = {
        Criterion.TOO_FEW: Msg.ADAPTER_TOO_FEW,
        Criterion.NOT_BETTER: Msg.ADAPTER_NOT_BETTER,
        Criterion.WORSE_BACK: Msg.ADAPTER_WORSE_BACK,
        Criterion.FORGOT: Msg.ADAPTER_FORGOT,
        Criterion.BETTER: Msg.ADAPTER_BETTER,
    }
    reasons = {reason.finding: reason for reason in trial.verdict.reasons}
    finding = next(
        each for each in sentences if each in reasons and (each is not Criterion.BETTER or trial.verdict.better)
    )
    difference = reasons[finding].difference
    shown = {"before": f"{difference.base:.3f}", "after": f"{difference.adapter:.3f}"}
    low, high = difference.interval
    return translate(
        sentences[finding], **shown, low=f"{low:+.3f}", high=f"{high:+.3f}", sources=reasons[finding].sources
    )
