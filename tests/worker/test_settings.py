"""Settings, and the documents that list them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.settings import Settings

ROOT = Path(__file__).parents[2]


def table_rows() -> list[str]:
    """Return the rows of the table in docs/settings.md, one per setting."""
    return [
        f"| `REELSEEK_{name.upper()}` | {_format_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def _format_default(default: object) -> str:
    return "" if default in (None, ()) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_settings_table_lists_each_setting_with_default_and_description() -> None:
    """docs/settings.md has a row for each setting, and no other rows."""
    lines = (ROOT / "docs/settings.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `")] == table_rows()


def test_example_environment_has_only_names_of_settings() -> None:
    """Each REELSEEK_ name in .env.example is a setting."""
    names = [
        line.lstrip("# ").partition("=")[0]
        for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        if "REELSEEK_" in line.partition("=")[0]
    ]
    assert names
    assert {name.removeprefix("REELSEEK_").lower() for name in names} <= set(Settings.model_fields)


@pytest.mark.usefixtures("no_dotenv")
def test_allowed_networks_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().allow_networks == ()
    monkeypatch.setenv("REELSEEK_ALLOW_NETWORKS", '["10.1.2.0/24"]')
    assert str(Settings().allow_networks[0]) == "10.1.2.0/24"


@pytest.mark.usefixtures("no_dotenv")
def test_spaces_of_the_web_chat_are_named_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().web_spaces == ()
    monkeypatch.setenv("REELSEEK_WEB_SPACES", '["local:me", "discord:123"]')
    assert Settings().web_spaces == ("local:me", "discord:123")
    monkeypatch.setenv("REELSEEK_WEB_SPACES", '["discord:me"]')
    with pytest.raises(ValidationError, match="“discord:me” is no space"):
        Settings()
