"""What `reelseek model use` takes: a preset's name, an adapter's folder, or a model's folder."""

import json
from pathlib import Path

import pytest

from bots.cli.environment import CALLER
from bots.cli.model_use import choose_model
from bots.connect import CommandError
from indexer.blobs import BlobStore
from tests.support.model import tiny_models
from worker.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_preset_name_is_passed_on_as_it_is(settings: Settings) -> None:
    assert choose_model(settings, CALLER, "multilingual", for_space=False) == {"to": "multilingual"}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [("name =", "is not TOML"), ('name = "mine"', "`languages` is missing"), ('name = "My Clip"', "`name` is missing")],
)
def test_preset_file_with_a_mistake_is_refused_with_what_is_wrong(settings: Settings, text: str, mistake: str) -> None:
    settings.presets_folder.mkdir(parents=True)
    (settings.presets_folder / "mine.toml").write_text(text)
    with pytest.raises(CommandError, match=rf"mine.toml.* {mistake}"):
        choose_model(settings, CALLER, "mine", for_space=False)
    assert choose_model(settings, CALLER, "starter", for_space=False) == {"to": "starter"}


def test_folder_of_a_model_gets_a_preset_file(settings: Settings, tmp_path: Path) -> None:
    """A model of another family is refused with a sentence."""
    tiny_models.save_clip(tmp_path / "my-clip")
    assert choose_model(settings, CALLER, str(tmp_path / "my-clip"), for_space=False) == {"to": "my-clip"}
    assert (settings.presets_folder / "my-clip.toml").is_file()
    (tmp_path / "other").mkdir()
    with pytest.raises(CommandError, match=r"can't be used: .*other contains no model"):
        choose_model(settings, CALLER, str(tmp_path / "other"), for_space=False)


@pytest.mark.parametrize(("for_space", "prefix"), [(False, "offers/"), (True, "spaces/local.me/offers/")])
def test_folder_of_a_training_run_is_offered(settings: Settings, tmp_path: Path, for_space: bool, prefix: str) -> None:
    """With its held-out pairs and their pictures, as blobs."""
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter.json").write_text('{"preset": "base"}')
    (tmp_path / "1.jpg").write_bytes(b"picture")
    row = {"text": "a", "pictures": [str(tmp_path / "1.jpg")], "source": "1", "kind": "caption", "split": "test"}
    (tmp_path / "held_out.json").write_text(json.dumps([row]))
    chosen = choose_model(settings, CALLER, str(tmp_path), for_space)
    assert chosen["to"] == "base"
    assert chosen["offer"].startswith(prefix)
    blobs = BlobStore(settings.blobs_address)
    assert blobs.get(f"{chosen['offer']}pictures/0-0.jpg") == b"picture"
    assert json.loads(blobs.get(f"{chosen['offer']}held_out.json")) == [{**row, "pictures": ["0-0.jpg"]}]


def test_preset_file_in_another_folder_is_refused_with_the_right_folder(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()
    with pytest.raises(CommandError, match=rf"Copy .*mine.toml into {settings.presets_folder}"):
        choose_model(settings, CALLER, str(tmp_path / "mine.toml"), for_space=False)
