"""Brings the catalogues in `bots/locale` up to date with the English sentences: `python -m bots.catalogue`."""

from typing import Final

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

from bots.words import CATALOGUES, LANGUAGES, SENTENCES, Text

PLURALS: Final = ((Text.VIDEOS_ONE, Text.VIDEOS), (Text.MOMENTS_ONE, Text.MOMENTS))


def template() -> Catalog:
    """All sentences, each with the names under which the code has it."""
    catalog = Catalog(
        project="Reelseek", charset="utf-8", header_comment="# PROJECT's sentences; the English is the key."
    )
    for one, many in PLURALS:
        catalog.add((str(one), str(many)), auto_comments=[one.name, many.name])
    plural = {text for pair in PLURALS for text in pair}
    named = [(code.name, sentence) for code, sentence in SENTENCES.items()]
    named += [(text.name, str(text)) for text in Text if text not in plural]
    for name, sentence in named:
        catalog.add(sentence, auto_comments=[name])
    return catalog


def main() -> None:
    for language in LANGUAGES[1:]:
        file = CATALOGUES / language / "LC_MESSAGES" / "reelseek.po"
        old = Catalog(locale=language)
        if file.exists():
            with file.open("rb") as stored:
                old = read_po(stored, locale=language)
        old.update(template(), no_fuzzy_matching=True)
        old.obsolete.clear()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stored:
            write_po(stored, old, width=120, omit_header=False, sort_output=False)


if __name__ == "__main__":
    main()
