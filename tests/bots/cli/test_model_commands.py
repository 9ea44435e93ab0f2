"""Commands that train and evaluate models, on tiny random models in place of the hub's."""

import csv
import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from bots.i18n.cli_messages import CliMsg
from bots.i18n.translate import translate
from model.presets import PRESETS, HubModel
from tests.support.bots.command_line import Finished, run_here, start_fork
from tests.support.model import tiny_models
from tests.support.servers.network import free_port

PRESET = "multilingual"
RUN = """
seed = 1
steps = {steps}
batch = 8
chunk = 8
texts = 1
text_views = 1
frames = 1
loss = "info_nce"
rate = 1e-3
map_rate = 1e-3
map_dropout = 0.0
weight_decay = 0.0
warm_up = 0.1
cycles = 1
check_every = 1
patience = 1000
[lora]
rank = 2
alpha = 4
dropout = 0.0
layers = 1
[augment]
views = 0
least_area = 0.5
jitter = 0.0
blur = 0.0
"""

Run: TypeAlias = Callable[..., Finished]


@pytest.fixture(scope="module")
def parts_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a tiny model where the preset's model would be after its download."""
    folder = tmp_path_factory.mktemp("parts")
    model = PRESETS[PRESET].frame
    assert isinstance(model, HubModel)
    snapshot = folder / "hub" / f"models--{model.repo.replace('/', '--')}" / "snapshots" / model.revision
    snapshot.mkdir(parents=True)
    tiny_models.save_siglip(snapshot)
    return folder


@pytest.fixture
def here(tmp_path: Path, parts_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with its own settings, and with pairs of 12 pictures and two texts each."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "REELSEEK_DATA_DIR": str(tmp_path / "data"),
        "REELSEEK_PARTS_DIR": str(parts_dir),
        "REELSEEK_PRESET": PRESET,
        "REELSEEK_DEVICE": "cpu",
        "HF_HUB_OFFLINE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # read from the environment only at import
    rows = ["file\ttext\tsplit"]
    for i in range(12):
        Image.fromarray(tiny_models.picture(i)).save(tmp_path / f"{i}.png")
        rows += [f"{i}.png\t{text} {i}\t{'test' if i < 8 else 'train'}" for text in ("a picture", "block")]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows))
    (tmp_path / "run.toml").write_text(RUN.format(steps=2))
    return tmp_path


@pytest.fixture
def reelseek(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: its libraries take seconds to load."""
    return partial(run_here, monkeypatch, capsys)


def test_evaluate_prints_and_saves_the_same_figures(reelseek: Run, here: Path) -> None:
    """With `--json` on one line, otherwise as a table."""
    done = reelseek("evaluate", "--preset", PRESET, "--pairs", "pairs.tsv", "--json")
    assert (done.status, done.notes) == (0, "")
    figures = json.loads(done.answers)
    assert {"r1", "r5", "r10", "median_rank", "mean_rank", "mrr", "r1_interval"} <= set(figures["text_to_image"])
    assert (figures["text_to_image"]["queries"], figures["image_to_text"]["queries"]) == (24, 12)
    assert {"alignment", "uniformity_text", "uniformity_image", "spectrum_text"} <= set(figures)
    assert figures["generation"].startswith(PRESET)
    [saved] = (here / "data" / "evaluation").glob("*.json")
    assert json.loads(saved.read_text()) == figures
    table = reelseek("evaluate", "--pairs", "pairs.tsv")
    assert table.status == 0
    assert f"{figures['text_to_image']['r1']:.3f}" in table.answers
    assert saved.name in table.answers


def test_train_writes_adapter_and_report_and_takes_it_into_use(reelseek: Run, here: Path) -> None:
    """It says what `--force` overrides. The adapter can be evaluated against its base model."""
    trained = reelseek("train", "--pairs", "pairs.tsv", "--run", "run.toml", "--out", "made", "--register", "--force")
    assert trained.status == 0
    assert "The adapter is" in trained.answers
    report = json.loads((here / "made" / "report.json").read_text())
    assert (report["preset"], report["held_out"]["sources"], report["held_out"]["texts"]) == (PRESET, 8, 16)
    assert report["general"]["images"] == 30
    assert (here / "made" / "report.png").exists()
    evaluated = reelseek("evaluate", "--pairs", "pairs.tsv", "--adapter", "made/adapter", "--json")
    figures = json.loads(evaluated.answers)
    comparison = figures["against_base"]
    assert evaluated.status == 0
    assert (comparison["texts"], set(comparison["text_to_image"])) == (24, {"r1", "r5", "r10", "mrr"})
    assert figures["generation"] == report["generation"]
    assert f"Searches use {figures['generation']} now." in trained.answers
    assert "It is used as you asked, although it isn't better." in trained.answers


def test_training_in_two_processes_has_the_losses_of_one(reelseek: Run, here: Path) -> None:
    """Only the main process tests, reports and prints. The environment is that which torchrun sets."""
    clips = [
        {"text": f"block {i}", "file": [f"{i}.png", f"{i + 1}.png"], "split": "test" if i == 8 else "train"}
        for i in range(0, 12, 2)
    ]
    (here / "clips.jsonl").write_text("\n".join(map(json.dumps, clips)))
    (here / "run.toml").write_text(RUN.format(steps=2) + '[head]\nkind = "lstm"\nsteps = 2\nrate = 1e-3\n')
    arguments = ["train", "--pairs", "clips.jsonl", "--run", "run.toml", "--out"]
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [
        start_fork(*arguments, "two", output=here / f"rank{rank}", **group, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in range(2)
    ]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0], (here / "rank0.err").read_text()
    assert "two/report.json" in (here / "rank0.out").read_text()
    assert (here / "rank1.out").read_text() == ""
    assert {file.name for file in (here / "two" / "adapter").iterdir()} == {"frame", "adapter.json", "head.safetensors"}
    assert reelseek(*arguments, "one").status == 0
    one, two = (json.loads((here / name / "report.json").read_text())["training"]["frame"] for name in ("one", "two"))
    assert two["losses"] == [[step, pytest.approx(loss, rel=2e-2)] for step, loss in one["losses"]]


def test_extract_writes_unit_vectors(reelseek: Run, here: Path) -> None:
    """Of texts as TSV, of pictures as Parquet."""
    (here / "texts.txt").write_text("a dog\n강아지\n")
    (here / "pictures.txt").write_text("0.png\n1.png\n2.png\n")
    assert reelseek("extract", "--text", "texts.txt", "--out", "texts.tsv").status == 0
    assert reelseek("extract", "--images", "pictures.txt", "--out", "pictures.parquet").status == 0
    with (here / "texts.tsv").open(encoding="utf-8") as rows:
        texts = list(csv.DictReader(rows, delimiter="\t"))
    assert [row["text"] for row in texts] == ["a dog", "강아지"]
    vectors = np.array([row["features"].split(",") for row in texts], np.float32)
    pictures = parquet.read_table(here / "pictures.parquet").to_pydict()
    assert pictures["file"] == ["0.png", "1.png", "2.png"]
    for each in (vectors, np.array(pictures["features"])):
        assert np.linalg.norm(each, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("evaluate --pairs gone.tsv", 1, "gone.tsv"),
        ("evaluate --pairs run.toml", 1, "run.toml"),
        ("evaluate --pairs pairs.tsv --preset huge", 1, "starter"),
        ("evaluate --pairs pairs.tsv --adapter nowhere", 1, "nowhere"),
        ("train --pairs pairs.tsv --out made --run pairs.tsv", 1, "run file"),
        ("train --pairs pairs.tsv --out made --run bad.toml", 1, "steps"),
        ("train --pairs pairs.tsv --out made --run gone.toml", 1, "gone.toml"),
        ("train --pairs one.tsv --out made --run run.toml", 1, "too few pictures"),
        ("extract --out out.tsv", 2, "--images"),
        ("extract --text texts.txt --images texts.txt --out out.tsv", 2, "--images"),
        ("extract --text gone.txt --out out.tsv", 1, "gone.txt"),
        ("pretrain run.toml", 1, "run file"),
    ],
)
def test_wrong_use_is_one_sentence_that_names_the_fault(
    reelseek: Run, here: Path, arguments: str, status: int, words: str
) -> None:
    (here / "bad.toml").write_text(RUN.format(steps=0))
    (here / "one.tsv").write_text("file\ttext\tsplit\n0.png\ta picture\ttrain")
    done = reelseek(*arguments.split())
    assert (done.status, done.answers) == (status, "")
    assert words in done.notes
    assert "Traceback" not in done.notes
    assert status == 2 or len(done.notes.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "korean"),
    [
        ("steps = 2", "steps = 0", "`steps` 값은 ≥ 1이어야 하는데 0이에요"),
        ("steps = 2", "", "`steps` 값이 없어요"),
        ("steps = 2", "steps = 2\nmore = 1", "`more`(이)라는 항목은 없어요"),
        ("steps = 2", 'steps = "two"', "`steps` 값으로 'two'을(를) 쓸 수 없어요"),
        ("steps = 2", "steps 2", "행"),
        ('loss = "info_nce"', 'loss = """', "파일이 중간에 끝나요"),
    ],
)
def test_mistake_in_a_run_file_is_reported_in_the_users_language(
    reelseek: Run, here: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, korean: str
) -> None:
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    (here / "bad.toml").write_text(RUN.format(steps=2).replace(old, new))
    done = reelseek("train", "--pairs", "pairs.tsv", "--out", "made", "--run", "bad.toml")
    assert done.status == 1
    assert korean in done.notes


def test_training_stopped_by_ctrl_c_resumes_from_its_checkpoint(here: Path, reelseek: Run) -> None:
    """It says how to resume. The same command trains only the remaining steps."""
    os.mkfifo(here / "pipe.toml")
    arguments = ["train", "--pairs", "pairs.tsv", "--out", "made", "--run"]
    process = start_fork(*arguments, "pipe.toml", output=here / "stopped")
    with (here / "pipe.toml").open("w") as run:  # opens when the command reads it
        assert process.pid
        os.kill(process.pid, signal.SIGINT)
        run.write(RUN.format(steps=3))
    process.join(60)
    assert (process.exitcode, (here / "stopped.out").read_text()) == (130, "")
    notes = (here / "stopped.err").read_text()
    assert translate(CliMsg.TRAIN_STOPPED) in notes
    assert "Traceback" not in notes
    checkpoint = torch.load(here / "made" / "frame" / "checkpoint.pt", weights_only=True)
    assert checkpoint["state"]["step"] == 1
    (here / "run.toml").write_text(RUN.format(steps=3))
    assert reelseek(*arguments, "run.toml").status == 0
    losses = json.loads((here / "made" / "report.json").read_text())["training"]["frame"]["losses"]
    assert losses[0] == list(checkpoint["state"]["losses"][0])
    assert [step for step, _ in losses] == [1, 2, 3]
