"""The documented table of settings is the truth."""

from pathlib import Path

import pytest

from worker.settings import Settings

ROOT = Path(__file__).parents[2]


def rows() -> list[str]:
    """One line a setting, as docs/settings.md shows them."""
    return [
        f"| `REELSEEK_{name.upper()}` | {_shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def _shown(default: object) -> str:
    return "" if default in (None, ()) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_table_is_the_code() -> None:
    """docs/settings.md lists each setting with its default and its meaning, and no other."""
    lines = (ROOT / "docs/settings.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == rows()


def test_the_example_names_real_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """.env.example can be used as it is: each REELSEEK_ name in it is a setting."""
    names = [
        line.lstrip("# ").partition("=")[0]
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "REELSEEK_" in line.partition("=")[0]
    ]
    assert names
    assert {name.removeprefix("REELSEEK_").lower() for name in names} <= set(Settings.model_fields)


def test_networks_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, no_dotenv: None) -> None:
    """The allow-list of networks is JSON in the environment, and empty by default."""
    assert Settings().allow_networks == ()
    monkeypatch.setenv("REELSEEK_ALLOW_NETWORKS", '["10.1.2.0/24"]')
    assert str(Settings().allow_networks[0]) == "10.1.2.0/24"
