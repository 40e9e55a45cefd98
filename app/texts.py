"""Texts: the words of `app.words`, filled with values; names of models, times and signed numbers as people say them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.words import joined

EN: dict[str, str] = joined("EN")


def t(key: str, catalogue: Mapping[str, str] = EN, **values: object) -> str:
    """Text of a key with its values; `KeyError` for a key that the catalogue lacks, so that no test misses it."""
    text = catalogue[key]
    return text.format(**values) if values else text


def model_name(name: str, catalogue: Mapping[str, str] = EN) -> str:
    """A model or family in plain words, also one that the catalogue does not know.

    Examples
    --------
    >>> model_name("quantile_linear"), model_name("ridge_last"), model_name("my_own")
    ('Median line', 'Ridge line (last)', 'My own')
    """
    if f"model.{name}" in catalogue:
        return catalogue[f"model.{name}"]
    parts = name.split("_")
    for k in range(len(parts) - 1, 0, -1):
        if (key := "model." + "_".join(parts[:k])) in catalogue:
            return t("model.variant", catalogue, name=catalogue[key], variant=" ".join(parts[k:]))
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def plain_models(text: str, names: Iterable[str], catalogue: Mapping[str, str] = EN) -> str:
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
        words = model_name(found[0], catalogue)
        return words[0].lower() + words[1:]

    return re.sub(rf"(?<![\w-])(?:{'|'.join(map(re.escape, wanted))})(?![\w-])", plain, text)


def ahead(horizon_s: float) -> str:
    """A horizon in words, e.g. `15 min`, `1 h`, `24 h`."""
    minutes = round(horizon_s / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:g} h"


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, with a true minus."""
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return ("+" if value > 0 else "−") + text
