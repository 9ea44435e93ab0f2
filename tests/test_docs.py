"""The docs name tests, files and pages that exist."""

import re
from pathlib import Path

import pytest

from tests.support.servers.processes import ROOT

pytestmark = pytest.mark.unit

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/*.md")])
CODE_PATH = re.compile(r"`((?:bots|worker|indexer|model|tests|benchmarks)/[\w/.-]*)(?:::(\w+))?`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def test_every_promise_names_existing_tests() -> None:
    """Each test id of docs/operations.md and of the other pages exists."""
    named = [match for page in PAGES for match in CODE_PATH.findall(page.read_text()) if match[1]]
    assert named
    missing = [f"{path}::{test}" for path, test in named if f"def {test}(" not in _read(path)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_names_existing_files(page: Path) -> None:
    """Paths of code in backticks and relative links of a page exist."""
    text = page.read_text()
    paths = [path for path, _ in CODE_PATH.findall(text)]
    missing = [path for path in paths if "NNN" not in path and not (ROOT / path).exists()]
    links = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert (missing, links) == ([], [])


def _read(path: str) -> str:
    return (ROOT / path).read_text() if (ROOT / path).is_file() else ""
