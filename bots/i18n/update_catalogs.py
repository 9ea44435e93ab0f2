"""Update the catalogues in `bots/i18n/locale` from the English sentences: `python -m bots.i18n.update_catalogs`."""

import io
import re
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from bots.i18n.cli_messages import CliMsg
from bots.i18n.error_messages import ERROR_MESSAGES
from bots.i18n.messages import Msg
from bots.i18n.translate import CATALOGS_DIR, LANGUAGES

_MODEL_DIR: Final = Path(__file__).parents[2] / "model"
PLURALS: Final = ((Msg.VIDEOS_ONE, Msg.VIDEOS), (Msg.MOMENTS_ONE, Msg.MOMENTS))
"""Singular and plural of each thing that `bots.i18n.translate.format_count` counts."""

# Babel's own header contains its version and the time, so that two runs would differ.
_HEADER: Final = """\
# Reelseek's sentences: {name}. The English sentence is the key.
msgid ""
msgstr ""
"Project-Id-Version: Reelseek\\n"
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def read_model_reasons() -> dict[str, str]:
    """Return the reasons of the errors that `model` raises, each with the module that raises it first.

    The source is read and not imported, because this package must not import `model`.
    """
    errors = re.findall(r"^class (\w+Error)\(", (_MODEL_DIR / "errors.py").read_text(encoding="utf-8"), re.MULTILINE)
    found = extract_from_dir(_MODEL_DIR, [("**.py", "python")], keywords=dict.fromkeys(errors))
    reasons: dict[str, str] = {}
    for file, _, reason, _, _ in found:
        reasons.setdefault(str(reason), f"model/{file}")
    return reasons


def build_template() -> Catalog:
    """Return a catalogue of all sentences without translations. Comments give their names in the code."""
    catalog = Catalog()
    for one, many in PLURALS:
        catalog.add((str(one), str(many)), auto_comments=[one.name, many.name])
    plural = {text for pair in PLURALS for text in pair}
    named = [(code.name, sentence) for code, sentence in ERROR_MESSAGES.items()]
    named += [(text.name, str(text)) for text in (*Msg, *CliMsg) if text not in plural]
    for name, sentence in named:
        catalog.add(sentence, auto_comments=[name])
    for reason, module in read_model_reasons().items():
        catalog.add(reason, auto_comments=[module])
    return catalog


def catalog_path(language: str) -> Path:
    """Return the file of a language's catalogue."""
    return CATALOGS_DIR / language / "LC_MESSAGES" / "reelseek.po"


def update_catalog(language: str, old: bytes) -> bytes:
    """Return a catalogue with exactly the current sentences and those translations of them that `old` has."""
    catalog = read_po(io.BytesIO(old), locale=language)
    catalog.update(build_template(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    header = _HEADER.format(name=Locale(language).english_name, language=language, plurals=catalog.plural_forms)
    written = io.BytesIO()
    write_po(written, catalog, width=0, omit_header=True)
    return header.encode() + written.getvalue()


def main() -> None:
    for language in LANGUAGES[1:]:
        file = catalog_path(language)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(update_catalog(language, file.read_bytes() if file.exists() else b""))


if __name__ == "__main__":
    main()
