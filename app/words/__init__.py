"""Words: every text on the screen, a module a page, each with the same keys in every language.

A key belongs to one module alone. English stands in the modules named after the pages (`EN`), Finnish beside them in
`fi_*`; another language is another such set of modules, named in `LANGUAGES`. Measures have a module of their own,
which that of the scenarios takes in.
"""

from __future__ import annotations

from app.words import common, compare, inputs, jobs, map_page, models, monitor, scenarios, serving, start
from app.words.fi_common import COMMON, MAP, START
from app.words.fi_compare import COMPARE
from app.words.fi_inputs import INPUTS
from app.words.fi_models import MODELS
from app.words.fi_monitor import MONITOR
from app.words.fi_scenarios import SCENARIOS
from app.words.fi_serving import JOBS, SERVING

_MODULES = (common, inputs, jobs, map_page, compare, scenarios, models, monitor, serving, start)
#: Parts of each language's catalogue, by its BCP 47 tag; the first language is spoken where nothing else is asked for.
LANGUAGES: dict[str, tuple[dict[str, str], ...]] = {
    "en": tuple(module.EN for module in _MODULES),
    "fi": (COMMON, INPUTS, JOBS, MAP, COMPARE, SCENARIOS, MODELS, MONITOR, SERVING, START),
}


def joined(language: str) -> dict[str, str]:
    """The catalogue of a language; `KeyError` where two modules claim the same key."""
    whole: dict[str, str] = {}
    for part in LANGUAGES[language]:
        twice = sorted(whole.keys() & part.keys())
        if twice:
            raise KeyError(f"texts {twice} stand in two modules of app/words")
        whole |= part
    return whole
