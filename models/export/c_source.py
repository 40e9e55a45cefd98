"""C: a zone's whole forecast for a microcontroller, from recent readings to quantiles, in plain C99.

One header and one source file without dependencies but libm (square roots, and an exponential or logarithm where the
model needs them) and without dynamic memory. The state of a sensor is one struct.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.calendar import _holidays
from models.errors import SettingsError
from models.export.c_features import Features, Writer, wind_sides
from models.export.c_parts import Tables, c_parts, number
from models.export.c_template import DAY_LOOKUP, HEADER, SOURCE
from models.export.families import program_of
from models.export.program import BentLines, Program, Trees
from models.featuriser import BRIDGE_HOURS, SPIKE, Featuriser
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.profile import Profile
from models.scale import to_scale

LEVELS = (0.05, 0.5, 0.95)
YEARS = 10  # of clock changes and holidays that a device knows beyond the model's training (assumed)


@dataclass(frozen=True)
class CFiles:
    """What was generated.

    Attributes
    ----------
    header, source : str
        `zw_model.h` and `zw_model.c`.
    sides : tuple of (str, str)
        Kind and name of each side, by number.
    steps : tuple of int
        Horizons in steps.
    levels : tuple of float
        Quantiles.
    operations : int
        Of a forecast, at most.
    features : tuple of str
        Those used.
    """

    header: str
    source: str
    sides: tuple[tuple[str, str], ...]
    steps: tuple[int, ...]
    levels: tuple[float, ...]
    operations: int
    features: tuple[str, ...]


def c_files(
    model: LearnedForecaster,
    zone_id: str | None = None,
    *,
    timezone: str,
    country: str | None = None,
    steps: Sequence[int] | None = None,
    levels: Sequence[float] = LEVELS,
    years: int = YEARS,
    phase_s: int = 0,
    card: Mapping[str, object] | None = None,
) -> CFiles:
    """A zone's micromodel as C.

    Parameters
    ----------
    model : LearnedForecaster
    zone_id : str or None
        None where it serves one zone.
    timezone, country : str
        Of the panel that it was fitted on: local time and public holidays.
    steps : sequence of int or None
        Horizons in steps, of those fitted; None takes all.
    levels : sequence of float
        Quantiles, of `intervals.QUANTILES`.
    years : int
        Clock changes and holidays up to so many years after training are put into tables.
    phase_s : int
        Seconds by which intervals begin after whole multiples of the step since 1970, UTC.
    card : mapping or None
        Told in the header's comment beside what the model knows of itself.

    Raises
    ------
    SettingsError
        If the family cannot be exported, a quantile is not among those of the model, or there are too many features.
    HorizonError
        For a step that was not fitted.
    """
    strange = [q for q in levels if q not in QUANTILES]
    if strange or not levels:
        raise SettingsError(f"quantiles {strange or 'none'}: allowed are {QUANTILES}")
    whole = program_of(model, zone_id)
    program = whole.narrow(None if steps is None else tuple(steps))
    if len(program.names) > 250:
        raise SettingsError(f"{len(program.names)} features are more than the C code can number (250)")
    one = model if zone_id is None or model.zone_ids == (zone_id,) else model.one(zone_id)
    featuriser, base = one.featuriser, one.profile
    assert featuriser is not None and base is not None
    tables = Tables()
    exact = "double" if any(isinstance(part, (Trees, BentLines)) for part in program.parts) else "float"
    writer = Writer(featuriser, program.names, program.n_common, tables, exact=exact == "double")
    functions, names = c_parts(program, tables)
    fields = {
        **_sizes(writer.found, program, levels, featuriser, phase_s),
        **_profile(featuriser, base, tables, exact),
        **_calendar(one.train_end, timezone, country, years, tables),
        **_names(writer, tables, exact),
        "CARD": _card(one, program, writer.found, timezone, card),
        "PARTS": functions,
        "NEAR": _filled(writer.found.near, 0, "    "),
        "FAR": _filled(writer.found.far, program.n_common, "        "),
        "SUM": " + ".join(f"{name}(x, h)" for name in names),
        "START": tables.add("start", program.start),
        "SCALE": repr(program.scale),
        "OFFSETS": tables.add("offset", program.offsets[:, [QUANTILES.index(q) for q in levels]]),
        "HORIZON_S": ", ".join(str(step * model.step_s) for step in program.steps),
        "LEVELS": ", ".join(number(q) for q in levels),
        "STEP_TABLE": tables.add("step_ahead", program.steps, "uint16_t"),
        "BACK": "value > 0.0 ? (float)(value * value) : 0.0f" if _rooted(model.target) else
                "value > 0.0 ? (float)value : 0.0f",
        "ROOT": "sqrt(reading > 0.0f ? (double)reading : 0.0)" if _rooted(model.target) else "(double)reading",
    }  # fmt: skip
    asked = [part for part in program.parts if isinstance(part, Trees) and (part.feature == part.width).any()]
    if asked:  # trees that ask for the horizon
        step = tables.add("step_feature", asked[0].step)
        fields["FAR"] += f"\n        x[{len(program.names)}] = {step}[h];"
    fields["DAY_LOOKUP"] = DAY_LOOKUP if re.search(r"\bday\b", fields["FAR"]) else ""
    fields["TABLES"] = tables.text()
    source = _without_unused(_put(SOURCE, fields))
    operations = program.operations() + writer.found.operations_near
    operations += len(program.steps) * (writer.found.operations_far + 4 * len(levels) + 30)
    return CFiles(
        _put(HEADER, fields), source, tuple(writer.found.sides), program.steps, tuple(levels), operations,
        program.names,
    )  # fmt: skip


def _rooted(target: str) -> bool:
    return bool(to_scale(target, np.array([4.0]))[0] == 2.0)


def _filled(expressions: list[str], first: int, indent: str) -> str:
    return "\n".join(f"{indent}x[{first + k}] = {text};" for k, text in enumerate(expressions))


def _sizes(
    found: Features, program: Program, levels: Sequence[float], featuriser: Featuriser, phase_s: int
) -> dict[str, str]:
    per_hour = max(1, 3600 // featuriser.step_s)
    return {
        "STEP_S": str(featuriser.step_s), "DAY": str(86_400 // featuriser.step_s), "PHASE_S": str(phase_s),
        "HORIZONS": str(len(program.steps)), "QUANTILES": str(len(levels)), "OWN": str(found.own_reach),
        "SIDES": str(len(found.sides)), "SIDE_KEPT": str(found.side_reach), "WIDTH": str(len(program.names)),
        "BRIDGE": str(BRIDGE_HOURS * per_hour), "SPIKE": number(SPIKE),
    }  # fmt: skip


def _profile(featuriser: Featuriser, base: Profile, tables: Tables, exact: str) -> dict[str, str]:
    usual = featuriser.profile.pick(np.array([0]))
    level, scale = float(usual.level[0]), float(usual.scale[0])
    mean = tables.add("usual", usual.mean[0], exact)
    flat = featuriser.flat
    return {
        "USUAL": mean, "SPREAD": tables.add("spread", base.spread[0]), "LEVEL": repr(level), "OWN_SCALE": repr(scale),
        "DEVIATES": repr(level) if flat else f"(double){mean}[now.kind * ZW_DAY + now.step]",
        "BASE": repr(level) if flat else f"(double){mean}[then.kind * ZW_DAY + then.step]",
    }  # fmt: skip


def _calendar(train_end: str, timezone: str, country: str | None, years: int, tables: Tables) -> dict[str, str]:
    """Tables of the clock changes and of the public holidays, from a month before training ended."""
    first = pd.Timestamp(train_end).tz_convert("UTC").floor("D") - pd.Timedelta(days=31)
    grid = pd.date_range(first, periods=(years * 366 + 31) * 48, freq="30min")
    utc = np.asarray(grid.as_unit("s").asi8)
    offset = np.asarray(grid.tz_convert(timezone).tz_localize(None).as_unit("s").asi8) - utc
    change = np.flatnonzero(np.diff(offset)) + 1
    at = np.append(-1, utc[change])
    days = np.arange(utc[0] // 86_400 - 1, utc[-1] // 86_400 + 2)
    free = _holidays(days, country) if country else np.zeros(0, dtype=np.int64)
    free = np.sort(free[(free >= days[0]) & (free <= days[-1])])
    return {
        "CHANGE_AT": tables.add("change_at", at, "int64_t"),
        "OFFSET_S": tables.add("utc_offset_s", np.append(offset[0], offset[change]), "int32_t"),
        "CHANGES": str(at.size), "HOLIDAY": tables.add("holiday", free, "uint16_t"), "HOLIDAYS": str(free.size),
        "UNTIL": str(grid[-1].date()),
    }  # fmt: skip


def _names(writer: Writer, tables: Tables, exact: str) -> dict[str, str]:
    """What sides are called, and how what they are told is kept; sine and cosine by step of the day."""
    sides, prefixes = writer.found.sides, {"zone": "NEAR", "other": "OTHER", "weather": "WEATHER"}
    words = [re.sub(r"\W+", "_", f"ZW_{prefixes[kind]}_{name}").upper() for kind, name in sides]
    defined = "\n".join(f"#define {word} {k}" for k, word in enumerate(words))
    wind = wind_sides(sides)
    angle = 2 * np.pi * np.arange(writer.per_day) / writer.per_day
    told = "".join(
        f"    zw_keep(s, {wind[name]}, {value}, time);\n"
        for name, value in (
            ("wind_speed_mps", "speed_mps"), ("wind_east", "-speed_mps * sin(angle)"),
            ("wind_north", "-speed_mps * cos(angle)"),
        ) if name in wind
    )  # fmt: skip
    return {
        "SIDE_NAMES": defined, "HEARING": writer.hearing(exact), "WIND": told,
        "SINE": tables.add("sine", np.sin(angle)), "COSINE": tables.add("cosine", np.cos(angle)),
    }  # fmt: skip


def _card(
    model: LearnedForecaster, program: Program, found: Features, timezone: str, card: Mapping[str, object] | None
) -> str:
    ahead = ", ".join(f"{step * model.step_s / 60:g}" for step in program.steps)
    lines = [
        f"zone {model.zone_ids[0]}, {model.target}, family {program.family}, trained until {model.train_end}",
        f"readings every {model.step_s} s; forecasts {ahead} min ahead; local time {timezone}",
        f"{len(program.names)} features, {len(found.sides)} of them or their inputs told by others",
        *(f"{key}: {value}" for key, value in (card or {}).items()),
    ]
    return "\n".join(" * " + part for line in lines for part in _short(line.replace("*/", "* /")))


def _short(line: str) -> list[str]:
    words, out = line.split(" "), [""]
    for word in words:
        if len(out[-1]) + len(word) > 112:
            out.append("   ")
        out[-1] += word + " "
    return [part.rstrip() for part in out]


def _put(template: str, fields: Mapping[str, str]) -> str:
    return re.sub(r"@(\w+)@", lambda match: fields[match[1]], template)


def _without_unused(source: str) -> str:
    """Leave out tables, and functions marked `/*? name */ ... /*?*/`, that nothing uses: compilers warn of them."""
    kept = source
    for _ in range(3):  # one may be called by another that is left out
        for name in re.findall(r"/\*\? (\w+) \*/", kept):
            block = re.search(rf"/\*\? {name} \*/\n(.*?)/\*\?\*/\n", kept, re.S)
            assert block is not None
            if not re.search(rf"\b{name}\(", kept.replace(block[0], "")):
                kept = kept.replace(block[0], "")
    kept = re.sub(r"/\*\?(?: \w+ )?\*/\n", "", kept)
    for table, name in re.findall(r"(static const \w+ (\w+)\[\d+\] = \{[^}]*\};\n)", kept):
        if len(re.findall(rf"\b{name}\b", kept)) == 1:
            kept = kept.replace(table, "")
    return kept
