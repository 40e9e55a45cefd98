"""Words: every text on the screen, a module a page, each with the same keys in every language.

`EN` joins the modules; a key belongs to one of them alone. A translation is another dict beside `EN` in each module.
"""

from __future__ import annotations

from app.words import common, compare, map_page, models, monitor, scenarios, start

_MODULES = (common, map_page, compare, scenarios, models, monitor, start)


def joined(language: str) -> dict[str, str]:
    """The catalogue of a language; `KeyError` where two modules claim the same key."""
    whole: dict[str, str] = {}
    for module in _MODULES:
        part: dict[str, str] = getattr(module, language)
        twice = sorted(whole.keys() & part.keys())
        if twice:
            raise KeyError(f"texts {twice} stand in two modules of app/words")
        whole |= part
    return whole
