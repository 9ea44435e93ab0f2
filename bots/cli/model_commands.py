"""Commands that train and evaluate models, without a chat or a queue."""

import json
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text as Line

from bots.cli.core_commands import GivenSpaceName
from bots.cli.environment import load_settings, make_caller, open_terminal
from bots.cli.model_tables import describe_decision, explain_run_error, render_comparison, render_report
from bots.cli.model_use import choose_model
from bots.cli.process import INTERRUPTED_STATUS, run_with_client
from bots.cli.render import name_commands
from bots.commands.client import Client
from bots.commands.models import manage_models
from bots.connect import CommandError, requiring_extra
from bots.i18n.cli_messages import CliMsg
from bots.i18n.messages import Msg
from bots.i18n.translate import explain_error, translate
from worker.protocol.base import LOCAL_SPACE, Caller
from worker.settings import Settings

if TYPE_CHECKING:
    from model.data.cleaning import CleanedPairs
    from model.evaluation.promotion import PromotionTest
    from model.outcome import TrainedAdapter, TrainingStep
    from model.ports import Encoder
    from model.presets import BasePreset

ReportProgress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done, and with the share of it that is done."""
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help=CliMsg.JSON_HELP)]
PresetName: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help=CliMsg.PRESET_HELP)]
AdapterFolder: TypeAlias = Annotated[Path | None, typer.Option(file_okay=False, help=CliMsg.ADAPTER_HELP)]
PairsFile: TypeAlias = Annotated[Path, typer.Option(metavar="FILE", help=CliMsg.PAIRS_HELP)]

_STAGES: Final[Mapping[str, Msg | CliMsg]] = {
    "texts": CliMsg.TEXTS,
    "pictures": CliMsg.PICTURES,
    "training": Msg.TRAINING,
}
"""The names of `model.outcome.TrainingStage`."""
_MODEL_ERRORS: Final = {
    "model_missing": CliMsg.MODEL_FILES_MISSING,
    "model_mismatch": CliMsg.ADAPTER_UNUSABLE,
    "preset_unusable": CliMsg.PRESET_UNUSABLE,
    "pairs_unreadable": CliMsg.PAIRS_UNUSABLE,
    "too_few_pairs": CliMsg.PAIRS_UNUSABLE,
}
"""The sentence for each `ModelError.code`. It ends with the error's own reason."""


def add_commands(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    app.command("evaluate", help=CliMsg.EVALUATE_HELP)(evaluate)
    app.command("extract", help=CliMsg.EXTRACT_HELP)(extract)
    app.command("train", help=CliMsg.TRAIN_HELP)(train)
    app.command("pretrain", help=CliMsg.PRETRAIN_HELP)(pretrain)


def evaluate(
    pairs: PairsFile, preset: PresetName = None, adapter: AdapterFolder = None, as_json: AsJson = False
) -> None:
    """Measure text-to-picture retrieval, and compare an adapter with its base model."""
    settings = load_settings()
    with _model_errors_as_sentences(), _show_progress_bar() as report_progress:
        from model.data.pairs import read_pairs
        from model.evaluation.compare import compare_encodings, encode_pairs

        chosen = _choose_preset(settings, preset)
        folder = settings.data_dir / "evaluation"
        read = read_pairs(pairs, folder / "pictures")
        encoder = _load_encoder(settings, chosen, adapter)
        encoded = encode_pairs(read, encoder, lambda share: report_progress(translate(CliMsg.PICTURES), share))
        report, comparison = encoded.report(), None
        if adapter:
            base_encoder = _load_encoder(settings, chosen, None)
            base = encode_pairs(
                read, base_encoder, lambda share: report_progress(translate(CliMsg.BASE_PICTURES), share)
            )
            comparison = compare_encodings(base, encoded)
    figures = {
        **report.as_json(),
        "generation": encoder.generation,
        "against_base": comparison and asdict(comparison),
    }
    file = _save_json(folder / f"{encoder.generation}-{pairs.stem}.json", figures)
    if as_json:
        print(json.dumps(figures))
        return
    terminal = open_terminal()
    terminal.answers.print(render_report(report))
    if comparison:
        terminal.answers.print(render_comparison(comparison))
    terminal.say(CliMsg.SAVED, file=file)


def extract(
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help=CliMsg.EXTRACT_OUT_HELP)],
    text: Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help=CliMsg.EXTRACT_TEXT_HELP)] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help=CliMsg.EXTRACT_IMAGES_HELP)
    ] = None,
    preset: PresetName = None,
    adapter: AdapterFolder = None,
) -> None:
    """Write the feature vectors of texts or pictures."""
    lines = text or images
    if not lines or (text and images):
        raise typer.BadParameter(translate(CliMsg.TEXT_OR_IMAGES))
    settings = load_settings()
    column: Literal["text", "file"] = "text" if text else "file"
    with _model_errors_as_sentences(), _show_progress_bar() as report_progress:
        from model.evaluation.features import extract_features

        encoder = _load_encoder(settings, _choose_preset(settings, preset), adapter)
        extract_features(
            encoder, lines, column, out, lambda done, total: report_progress(f"{done:,} / {total:,}", done / total)
        )
    open_terminal().say(CliMsg.SAVED, file=out)


def train(
    pairs: PairsFile,
    out: Annotated[Path, typer.Option(metavar="FOLDER", file_okay=False, help=CliMsg.TRAIN_OUT_HELP)],
    run: Annotated[Path | None, typer.Option(metavar="RUN.toml", dir_okay=False, help=CliMsg.TRAIN_RUN_HELP)] = None,
    preset: PresetName = None,
    register: Annotated[bool, typer.Option("--register", help=CliMsg.TRAIN_REGISTER_HELP)] = False,
    is_forced: Annotated[bool, typer.Option("--force", help=Msg.MODEL_FORCE_HELP)] = False,
    space: GivenSpaceName = None,
) -> None:
    """Train an adapter on the `train` pairs, test it on the `test` pairs, and write a report.

    Under `torchrun`, only the main process tests and reports. With `register`, the adapter is then offered to the
    installation, or to one space.
    """
    settings, caller = load_settings(), make_caller(space or LOCAL_SPACE)
    with _stop_on_signal() as is_stopped, _model_errors_as_sentences(), _show_progress_bar() as report_progress:
        from model.config import DEFAULT_CONFIG, read_training_config
        from model.training import train as training
        from model.training.training_run import TrainingRun

        chosen = _choose_preset(settings, preset)
        cleaned = _read_training_pairs(settings, pairs, out)
        trained = training.train(
            TrainingRun(
                config=read_training_config(run or DEFAULT_CONFIG),
                pairs=cleaned.pairs,
                preset=chosen,
                device=settings.device,
                artifacts_dir=settings.parts_dir,
                folder=out,
                on_progress=lambda step: report_progress(*_describe_step(step)),
                is_cancelled=is_stopped,
            )
        )
        if not trained.is_main_process:
            return
        test = _test_adapter(settings, chosen, trained, cleaned, out, report_progress)
    _report_training(trained, test, out)
    if register:
        _register(settings, caller, trained.adapter, is_forced, for_space=space is not None)


def _read_training_pairs(settings: Settings, pairs: Path, out: Path) -> "CleanedPairs":
    """Return the pairs of a file without unusable ones. Raises `CommandError` if none are for training or for testing.

    The main process extracts the pictures into `out`; the others wait and find them.
    """
    from model.data.cleaning import clean_pairs
    from model.data.pairs import read_pairs
    from model.training.trainer import create_accelerator

    with create_accelerator(settings.device).main_process_first():
        cleaned = clean_pairs(read_pairs(pairs, out / "pictures"))
    if not {"train", "test"} <= {pair.split for pair in cleaned.pairs}:
        raise CommandError(translate(CliMsg.NOTHING_HELD_OUT, file=pairs))
    return cleaned


def _register(settings: Settings, caller: Caller, adapter: Path, is_forced: bool, for_space: bool) -> None:
    """Take an adapter into use as `reelseek model use` does, and exit."""
    args = {**choose_model(settings, caller, str(adapter), for_space), "is_forced": is_forced, "for_space": for_space}

    async def show_replies(client: Client) -> bool:
        replies = manage_models(client, caller, "use", by_operator=True, **args)
        return await open_terminal().show(name_commands(replies, ""))

    run_with_client(settings, show_replies, serve_relay=True)


def _test_adapter(
    settings: Settings,
    preset: "BasePreset",
    trained: "TrainedAdapter",
    cleaned: "CleanedPairs",
    out: Path,
    report_progress: ReportProgress,
) -> "PromotionTest":
    """Compare an adapter with its base model on the held-out pairs, and write these and the report to `out`."""
    from model.evaluation import general_set, report
    from model.evaluation.promotion import run_promotion_test
    from worker.models.adapter_offers import write_held_out_pairs

    write_held_out_pairs(out, cleaned.pairs)
    held_out = [pair for pair in cleaned.pairs if pair.split == "test"]
    general = general_set.build_general_set(preset, out / "general", settings.parts_dir)
    base, adapter = _load_encoder(settings, preset, None), _load_encoder(settings, preset, trained.adapter)
    seen = [pair for pair in cleaned.pairs if pair.split != "test"]
    test = run_promotion_test(
        base, adapter, held_out, general, lambda share: report_progress(translate(CliMsg.COMPARING), share), seen
    )
    facts = {"preset": preset.name, "generation": adapter.generation, "dropped_pairs": cleaned.dropped}
    report.write_report(test, trained.outcomes, facts, out)
    return test


def _report_training(trained: "TrainedAdapter", test: "PromotionTest", out: Path) -> None:
    """Print the comparison, the decision and the files of a training run."""
    from model.evaluation import report

    terminal = open_terminal()
    for outcome in trained.outcomes.values():
        if outcome.diverged_at is not None:
            terminal.say(CliMsg.TRAINING_DIVERGED, step=outcome.diverged_at, best=outcome.best_step)
    terminal.answers.print(render_comparison(test.held_out), Line(describe_decision(test), style="bold"))
    for file in (trained.adapter, out / report.JSON_FILE, out / report.PICTURE_FILE):
        terminal.say(CliMsg.SAVED, file=file)


def pretrain(
    run: Annotated[
        Path, typer.Argument(metavar="RUN.toml", exists=True, dir_okay=False, help=CliMsg.PRETRAIN_RUN_HELP)
    ],
    data: Annotated[Path | None, typer.Option(help=CliMsg.PRETRAIN_DATA_HELP)] = None,
) -> None:
    """Train the text map of the starter preset again."""
    load_settings()
    with _model_errors_as_sentences():
        from model.pretraining.pretrain import run_pretraining

        figures = run_pretraining(run, data)
    for language, metrics in figures.items():
        open_terminal().answers.print(Line(f"{language}: {metrics}"))


def _choose_preset(settings: Settings, name: str | None) -> "BasePreset":
    """Return the preset that was given, or that of the settings. Raises `CommandError`."""
    from model.errors import PresetUnusableError, UnknownPresetError
    from model.preset_files import find_preset

    try:
        return find_preset(name or settings.preset, settings.presets_folder)
    except UnknownPresetError as error:
        raise CommandError(translate(CliMsg.UNKNOWN_PRESET, name=name, all=", ".join(error.known))) from error
    except PresetUnusableError as error:
        raise CommandError(translate(CliMsg.PRESET_UNUSABLE, why=explain_error(error))) from error


def _load_encoder(settings: Settings, preset: "BasePreset", adapter: Path | None) -> "Encoder":
    from model.loader import load_encoder

    return load_encoder(preset, device=settings.device, adapter=adapter, artifacts_dir=settings.parts_dir)


def _describe_step(step: "TrainingStep") -> tuple[str, float]:
    loss = "" if step.loss is None else f", {translate(Msg.LOSS, loss=f'{step.loss:.2f}')}"
    text = f"{translate(_STAGES[step.stage])} {step.step:,} / {step.steps:,}{loss}"
    return text, step.step / max(1, step.steps)


def _save_json(file: Path, figures: dict[str, object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return file


@contextmanager
def _model_errors_as_sentences() -> Iterator[None]:
    """Raise `CommandError` with a sentence for errors of a model, a run file or a file. Warnings go to the log."""
    with requiring_extra("train"):
        from model.errors import ModelError

        logging.captureWarnings(True)
        try:
            yield
        except ModelError as error:
            sentence = _MODEL_ERRORS.get(error.code)
            why = explain_error(error)
            raise CommandError(translate(sentence, why=why) if sentence else why) from error
        except OSError as error:
            why = f"{error.filename}: {explain_error(error)}" if error.filename else explain_error(error)
            raise CommandError(translate(CliMsg.FILE_UNUSABLE, why=why)) from error
        except (TOMLDecodeError, ValidationError) as error:
            raise CommandError(translate(CliMsg.BAD_RUN, why=explain_run_error(error))) from error
        finally:
            logging.captureWarnings(False)


@contextmanager
def _show_progress_bar() -> Iterator[ReportProgress]:
    """Show a progress bar on stderr until the block ends. Nothing is shown if stderr is not a terminal."""
    notes = open_terminal().notes
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as progress:
        task = progress.add_task("", total=1)
        yield lambda text, share: progress.update(task, description=escape(text), completed=share)


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns True after Ctrl-C or SIGTERM, so that training stops at its next checkpoint.

    A second signal ends the process at once.
    """
    received: list[int] = []

    def record(number: int, _: object) -> None:
        received.append(number)
        restore()

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    handlers = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    except BaseException:
        if received:
            open_terminal().complain(translate(CliMsg.TRAIN_STOPPED))
            raise typer.Exit(INTERRUPTED_STATUS) from None
        raise
    finally:
        restore()
