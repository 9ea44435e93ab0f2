"""Names, prose and folders of the rooms, checked on the syntax tree. import-linter checks the imports."""

import ast
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("bots", "worker", "indexer", "model", "text")
FOLDERS = (*ROOMS, "tests", "benchmarks")
MAX_MODULES_PER_FOLDER = 14
MAX_LINES_PER_MODULE = 400
MAX_HARD_CONSTRUCTIONS_PER_1000_WORDS = 2.0

MIRRORED_CLASSES = {"Encoder", "TextVectors", "Clip"}
"""The only public classes that are defined twice: indexer and model do not know each other, so `indexer.ports` says
what indexing needs of an encoder, and `model.ports` what an encoder offers. `worker.services` joins the two.
"""

PARTICIPLES = (
    "answered|asked|begun|brought|built|caught|chosen|done|drawn|fallen|felt|forgotten|found|given|gone|grown|heard|held"
    "|hidden|hushed|kept|known|laid|learnt|left|lost|made|meant|met|named|noted|owed|paid|said|seen|sent|settled|shown"
    "|spoken|stood|surprised|taken|taught|thrown|told|turned|worn|written"
)
HARD_CONSTRUCTIONS = {
    "a clause as subject": r"(?:^|[.:;] )(?:Who|Whoever|What|That|Where) (?:is|was|has|can|may|must|a|an|the|nobody)\b",
    "'where' instead of 'if'": r"\bwhere (?:it|there|nobody|none|one|both|no|they|somebody|those)\b",
    "nobody, somebody, whoever": r"\b(?:nobody|somebody|whoever)\b",
    "is told, is heard": r"\b(?:is|are|was|were|be) (?:told|heard)\b",
    "anew, beside, stands, lies": r"\b(?:anew|beside|stands|lies)\b",
    "so many, so long": r"\bso (?:many|long|few)\b",
    "is none": r"\bis none\b",
}


@cache
def modules() -> dict[Path, ast.Module]:
    """Return the syntax tree of each module of the packages."""
    return {
        path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
    }


def nodes(kinds: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[tuple[Path, ast.AST]]:
    for path, tree in modules().items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kinds))


def test_class_names_have_one_meaning() -> None:
    """A public class name is defined once in all packages."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, node in nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        if not node.name.startswith("_"):
            places[node.name].append(f"{path}:{node.lineno}")
    twice = {name: where for name, where in places.items() if len(where) > 1 and name not in MIRRORED_CLASSES}
    assert twice == {}


def test_function_names_begin_with_a_verb() -> None:
    """No function is named by a participle such as `told` or `kept_for`."""
    participle = re.compile(rf"_*(?:{PARTICIPLES})(?:_|$)")
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if participle.match(node.name) and not _is_property(node)
    ]
    assert found == []


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(each).rpartition(".")[2] in {"property", "cached_property"} for each in node.decorator_list)


def _list_files() -> list[Path]:
    """Return the modules of the packages, tests and benchmarks."""
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_folders_hold_few_modules() -> None:
    """A folder that grows beyond a screen gets sub-packages."""
    sizes: dict[Path, int] = defaultdict(int)
    for path in _list_files():
        sizes[path.parent.relative_to(ROOT)] += path.name != "__init__.py"
    assert {str(folder): size for folder, size in sizes.items() if size > MAX_MODULES_PER_FOLDER} == {}


def test_modules_are_short() -> None:
    """A module that grows too long is split by subject."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in _list_files()
    }
    assert {path: length for path, length in lengths.items() if length > MAX_LINES_PER_MODULE} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_prose_is_plain(room: str) -> None:
    """Docstrings and comments hardly use the constructions that made this code hard to read."""
    texts = {path: _prose(path, tree) for path, tree in modules().items() if path.parts[0] == room}
    words = sum(len(re.findall(r"\w+", text)) for text in texts.values())
    hits = [
        f"{path}: {match.group()}"
        for path, text in texts.items()
        for pattern in HARD_CONSTRUCTIONS.values()
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]
    assert 1000 * len(hits) / words <= MAX_HARD_CONSTRUCTIONS_PER_1000_WORDS, hits


def _prose(path: Path, tree: ast.Module) -> str:
    docstrings = [
        " ".join(node.value.value.split())
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    with (ROOT / path).open("rb") as file:
        comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    return "\n".join(docstrings + [comment.lstrip("# ") for comment in comments if "noqa" not in comment])


def test_tests_import_helpers_from_support_only() -> None:
    """Test modules and conftests are no libraries: shared helpers are in tests/support."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in _list_imports(ast.parse(path.read_text(encoding="utf-8")))
        if re.match(r"tests\.(?!support\b)|benchmarks\.", name) and not name.startswith(_package_of(path))
    ]
    assert found == []


def _list_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _package_of(path: Path) -> str:
    """Return the prefix that a module of a benchmark may import: its own package's, nothing for tests."""
    parts = path.relative_to(ROOT).parts
    return "benchmarks." if parts[0] == "benchmarks" else "-"
