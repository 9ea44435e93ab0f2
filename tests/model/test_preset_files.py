"""Presets of the operator: files, models of all families in folders, and one sentence for each mistake."""

import shutil
from pathlib import Path

import pytest

from model.errors import ArtifactsMissingError, PresetUnusableError, UnknownPresetError, WeightsChangedError
from model.loader import compute_generation, find_preset_of, load_encoder
from model.preset_files import find_preset, list_preset_names, read_preset_file, write_preset_file
from model.presets import Preset
from tests.support.model import tiny_models

MOTION = '\n[motion]\nfolder = "xclip"\n'


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny model of each family."""
    folder = tmp_path_factory.mktemp("models")
    for name, save in tiny_models.FAMILIES.items():
        save(folder / name)
    return folder


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """Return a folder for preset files that also has the models."""
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    return tmp_path


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def describe(model: str, name: str = "mine", languages: str = '["en", "ko"]') -> str:
    return f'name = "{name}"\nlanguages = {languages}\nlicence = "MIT"\n[frame]\nfolder = "{model}"\n'


@pytest.mark.parametrize("family", [name for name in tiny_models.FAMILIES if name != "xclip"])
def test_model_of_each_family_is_loaded_from_a_folder(folder: Path, family: str) -> None:
    write(folder, describe(family) + MOTION)
    preset = find_preset("mine", folder)
    assert (preset.languages, preset.licence) == (("en", "ko"), "MIT")
    encoder = load_encoder(preset, device="cpu", adapter=None, artifacts_dir=folder)
    assert encoder.generation == compute_generation(preset, None)
    assert encoder.encode_frames([tiny_models.picture(1)]).shape == (1, encoder.frame_size)
    assert encoder.motion_size == 16
    assert encoder.encode_texts(["a"])[0].frame.shape == (encoder.frame_size,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name = ", "mine.toml is not TOML in UTF-8"),
        ('name = "mine"\nlanguages = ["en"]', "`frame` is missing or wrong"),
        (describe("clip") + "colour = 1", "`frame.colour` is missing or wrong"),
        (describe("clip", name="Mine!"), "`name` is missing or wrong"),
        (describe("clip", languages="[]"), "`languages` is missing or wrong"),
        (describe("clip", name="base"), "is that of a preset of Reelseek"),
        (describe("nothing"), "nothing contains no model"),
        (describe("xclip"), "is a model of the family 'xclip', but for `frame` it has to be one of clip, siglip"),
        (describe("clip") + '[motion]\nfolder = "clip"', "but for `motion` it has to be one of xclip"),
        (describe("clip") + 'repo = "a/b"', "`frame` needs either a `folder`, or a `repo` with its `revision`"),
        ('name = "mine"\nlanguages = ["en"]\n[frame]\nrepo = "a/b"', "`frame` needs either a `folder`, or a `repo`"),
        (
            'name = "mine"\nlanguages = ["en"]\n[frame]\nrepo = "a/b"\nrevision = "main"',
            "`frame.revision` is missing or wrong",
        ),
    ],
)
def test_mistake_in_a_file_has_a_sentence(folder: Path, text: str, why: str) -> None:
    """It names what is wrong."""
    with pytest.raises(PresetUnusableError) as caught:
        read_preset_file(write(folder, text))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_family_that_is_not_known_has_a_sentence(folder: Path) -> None:
    """A model without weights has one, too."""
    (folder / "other").mkdir()
    (folder / "other" / "config.json").write_text('{"model_type": "blip"}')
    file = write(folder, describe("other"))
    with pytest.raises(PresetUnusableError, match="other contains no weights"):
        read_preset_file(file)
    (folder / "other" / "model.safetensors").touch()
    with pytest.raises(PresetUnusableError, match="family 'blip', but for `frame` it has to be one of clip, siglip"):
        read_preset_file(file)


def test_two_files_with_one_name_are_refused(folder: Path) -> None:
    write(folder, describe("clip"))
    with pytest.raises(PresetUnusableError, match="have the same name 'mine'"):
        read_preset_file(write(folder, describe("siglip"), "other.toml"))


def test_unknown_preset_is_refused_with_all_names(folder: Path) -> None:
    write(folder, describe("clip"))
    assert list_preset_names(folder) == ["starter", "base", "large", "multilingual", "chinese", "mine"]
    with pytest.raises(UnknownPresetError, match=r"no preset 'yours'; there are starter, .*, mine"):
        find_preset("yours", folder)


def test_generation_depends_on_the_content_of_a_folder(folder: Path) -> None:
    """Not on its place. Changed weights are another generation, which the former one's name does not find."""
    write(folder, describe("clip"))
    generation = compute_generation(find_preset("mine", folder), None)
    assert generation.startswith("mine-")
    shutil.move(folder / "clip", folder / "moved")
    write(folder, describe("moved"))
    preset = find_preset_of("mine", generation, presets_dir=folder)
    assert compute_generation(preset, None) == generation
    weights = folder / "moved" / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(WeightsChangedError, match=rf"make the generation {generation}.*reelseek model use mine"):
        find_preset_of("mine", generation, presets_dir=folder)
    with pytest.raises(ArtifactsMissingError, match="was moved or changed"):
        load_encoder(preset, device="cpu", adapter=None, artifacts_dir=folder)


def test_preset_file_is_written_for_a_folder_once(folder: Path, tmp_path: Path) -> None:
    """Its name is that of the folder. Another folder of the same name is refused."""
    presets, other = tmp_path / "presets", tmp_path / "elsewhere" / "My Clip.v2"
    shutil.copytree(folder / "clip", other)
    assert write_preset_file(presets, other) == write_preset_file(presets, other) == "my-clip-v2"
    assert isinstance(find_preset("my-clip-v2", presets), Preset)
    shutil.copytree(folder / "siglip", folder / "my-clip-v2")
    with pytest.raises(PresetUnusableError, match="exists already and names another model"):
        write_preset_file(presets, folder / "my-clip-v2")
    with pytest.raises(PresetUnusableError, match="for `frame` it has to be one of"):
        write_preset_file(presets, folder / "xclip")
