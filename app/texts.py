"""Texts: the words of `app.words`, filled with values; names of models, times and signed numbers as people say them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from app.words import LANGUAGES, joined

#: Languages of the catalogue by their BCP 47 tag; the first is spoken where nothing else was asked for.
CATALOGUES: dict[str, dict[str, str]] = {tag: {**joined("en"), **joined(tag)} for tag in LANGUAGES}
EN: dict[str, str] = CATALOGUES["en"]
_spoken: ContextVar[str] = ContextVar("language", default="en")


def language() -> str:
    """Tag of the language that is spoken now: that of a page's reader, and English in jobs and on the command line."""
    return _spoken.get()


def speak(tag: str) -> None:
    """Speak a language from here on, within this thread or task; one that the catalogue lacks is English."""
    _spoken.set(tag if tag in CATALOGUES else "en")


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    """Speak a language for as long as a block lasts."""
    before = _spoken.get()
    speak(tag)
    try:
        yield
    finally:
        _spoken.set(before)


def spoken() -> dict[str, str]:
    """The catalogue of the language that is spoken now."""
    return CATALOGUES[_spoken.get()]


Value = TypeVar("Value")


class Spoken(Mapping[str, Value]):
    """A mapping with texts in it, made once in each language, when it is first read there."""

    def __init__(self, make: Callable[[], Mapping[str, Value]]) -> None:
        self._make = make
        self._made: dict[str, Mapping[str, Value]] = {}

    def _now(self) -> Mapping[str, Value]:
        if language() not in self._made:
            self._made[language()] = self._make()
        return self._made[language()]

    def __getitem__(self, key: str) -> Value:
        return self._now()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def t(key: str, catalogue: Mapping[str, str] | None = None, **values: object) -> str:
    """Text of a key with its values; `KeyError` for a key that the catalogue lacks, so that no test misses it."""
    text = (spoken() if catalogue is None else catalogue)[key]
    if not values:
        return text
    text = text.format(**{name: said(value) for name, value in values.items()})
    return text if language() == "en" else _Said(text)


_NUMBER = re.compile(
    r"(?<![\w.,:-])[+−-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w.,:-])|(?<![\w.,:-])[+−-]?\d+\.\d+(?![\w.,:-])"
)


class _Said(str):
    """A text whose numbers are written as the language does: not to be rewritten when it goes into another text."""

    __slots__ = ()


def said(value: Any) -> Any:
    """Numbers within a text as the language writes them: a decimal comma and thin gaps between thousands in Finnish.

    Dates, clock times, versions and names with digits stay as they are, and so does what is no text.

    Examples
    --------
    >>> with speaking("fi"):
    ...     said("12.5 to 1,250.0"), said("7.25 at 08:15 on 2025-03-01"), said(3)
    ('12,5 to 1\u202f250,0', '7,25 at 08:15 on 2025-03-01', 3)
    """
    if language() == "en" or not isinstance(value, str) or isinstance(value, _Said):
        return value
    return _Said(_NUMBER.sub(lambda m: m[0].replace(",", "\u202f").replace(".", ","), value))


def number(value: float, digits: int) -> str:
    """A number with its digits, as the language writes it; a dash where it is unknown."""
    text: str = "–" if value != value else said(f"{value:,.{digits}f}")
    return text


def model_name(name: str, catalogue: Mapping[str, str] | None = None) -> str:
    """A model or family in plain words, also one that the catalogue does not know.

    Examples
    --------
    >>> model_name("quantile_linear"), model_name("ridge_last"), model_name("my_own")
    ('Median line', 'Ridge line (last)', 'My own')
    """
    catalogue = spoken() if catalogue is None else catalogue
    if f"model.{name}" in catalogue:
        return catalogue[f"model.{name}"]
    parts = name.split("_")
    for k in range(len(parts) - 1, 0, -1):
        if (key := "model." + "_".join(parts[:k])) in catalogue:
            return t("model.variant", catalogue, name=catalogue[key], variant=" ".join(parts[k:]))
    plain = name.replace("_", " ")
    return plain[:1].upper() + plain[1:]


def plain_models(text: str, names: Iterable[str], catalogue: Mapping[str, str] | None = None) -> str:
    """A sentence in which models stand by their plain names, e.g. a reason from the table `choices`.

    Examples
    --------
    >>> plain_models("tree is as good as ridge and simpler", ["ridge", "tree"])
    'decision tree is as good as ridge line and simpler'
    """
    wanted = sorted({str(n) for n in names if n}, key=len, reverse=True)
    if not wanted:
        return text

    def plain(found: re.Match[str]) -> str:
        name = model_name(found[0], catalogue)
        return name[0].lower() + name[1:]

    return re.sub(rf"(?<![\w-])(?:{'|'.join(map(re.escape, wanted))})(?![\w-])", plain, text)


def ahead(horizon_s: float) -> str:
    """A horizon in words, e.g. `15 min`, `1 h`, `24 h`."""
    minutes = round(horizon_s / 60)
    return f"{minutes} min" if minutes < 60 else t("hours", n=f"{minutes / 60:g}")


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, with a true minus."""
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    text = said(("+" if value > 0 else "−") + text)
    return text
