"""What the scenario page tells of a finished run: a study, two studies beside each other, a preview, a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from app import ids
from app import study_tables as tables
from app import study_views as views
from app.addresses import href
from app.components.parts import stored
from app.components.study_parts import effects_table, fold, table
from app.preview_views import Foreseen, Remark, foreseen_rows
from app.queries import Queries
from app.texts import number, signed, t

AIMS = ("delay_hours", "vehicle_hours", "vehicle_km", "nox_kg", "no2", "no2_exposure", "cost")


def result_view(queries: Queries, run: str) -> list[Any]:
    """Effects of a study: on the city, inside and outside its place, by hour, on whom, on money, on chances."""
    effects = views.study_effects(queries, run)
    pairs = int(effects["n"].max()) if len(effects) else 0
    parts: list[Any] = [
        html.H2(t("scenario.effects")),
        html.P(t("result.pairs", n=pairs), className="fine"),
        effects_table(views.effect_rows(effects)),
    ]
    streets = views.worst_streets(queries, run)
    if streets:
        words = "; ".join(t("effect.street", name=name, gain=signed(v, 0)) for name, v in streets)
        parts.append(html.P([html.Strong(t("effect.streets")), words + "."], className="notice warn"))
    for scope, title in (("inside", t("effect.inside")), ("outside", t("effect.outside"))):
        rows = views.effect_rows(effects, scope)
        if rows:
            parts.append(fold(title, [effects_table(rows)]))
    parts += [_hours(effects), _people(queries, run)]
    costs = views.effect_rows(effects, "city", views.COSTS)
    if costs:
        parts.append(fold(t("result.costs"), [effects_table(costs), html.P(t("result.costs.note"), className="fine")]))
    return [*parts, *_chances(queries, run)]


def _hours(effects: Any) -> html.Details:
    """By hour of day: which quantity, and the chart, which a callback fills."""
    there = set(effects.loc[effects["hour"] >= 0, "quantity"])
    data = [{"value": k, "label": v[0]} for k, v in views.SHOWN.items() if k in there]
    first = "delay_hours" if "delay_hours" in there else data[0]["value"] if data else None
    return fold(
        t("result.hours"),
        [
            dmc.Select(
                id=ids.SCENARIO_HOUR_WHAT,
                label=t("result.what"),
                data=data,
                value=first,
                allowDeselect=False,
                size="xs",
            ),
            html.Div(id=ids.SCENARIO_HOUR_CHART),
            html.P(t("result.hours.note"), className="fine"),
        ],
    )


def _people(queries: Queries, run: str) -> html.Details:
    """Who gains and who loses: shares of residents, and the zones by name."""
    rows = tables.equity_rows(queries, run)
    parts: list[Any] = []
    if rows:
        columns = [t("effect.what"), t("gain.better"), t("gain.worse"), t("gain.rest")]
        parts.append(
            table(t("result.people"), columns, [[r["name"], r["better"], r["worse"], r["rest"]] for r in rows])
        )
    for quantity in ("no2", "delay"):
        side = tables.gain_and_loss(queries, run, quantity)
        for key, zones in (("gain", side.better), ("loss", side.worse)):
            if zones:
                title = t(f"gain.{key}", what=views.MAPS[quantity].label)
                parts.append(html.P([html.Strong(title + " "), "; ".join(zones)], className="quiet"))
    parts.append(html.P(t("gain.note" if rows or parts else "gain.none"), className="fine"))
    return fold(t("result.people"), parts)


def _chances(queries: Queries, run: str) -> list[Any]:
    """Chances of passing limits, streets that are reached later, reliability: what is stored of them."""
    parts = []
    risks = tables.risk_rows(queries, run)
    if risks:
        columns = [t("risk.what"), t("risk.before"), t("risk.after"), t("risk.range")]
        rows = [[r["name"], r["before"], r["after"], r["range"]] for r in risks]
        parts.append(
            fold(t("result.risk"), [table(t("result.risk"), columns, rows), html.P(t("risk.note"), className="fine")])
        )
    reached = tables.access_rows(queries, run)
    if reached:
        columns = [t("access.street"), t("access.own"), t("access.siren")]
        rows = [[r["name"], r["own"], r["siren"]] for r in reached]
        parts.append(
            fold(
                t("result.access"),
                [table(t("result.access"), columns, rows), html.P(t("access.note"), className="fine")],
            )
        )
    steady = tables.reliability_rows(queries, run)
    if steady:
        columns = [t("effect.what"), t("effect.with"), t("effect.change")]
        lines: list[list[Any]] = []
        for r in steady:
            lines.append([r["name"], r["value"], [r["effect"], html.Span(r["interval"], className="interval")]])
        parts.append(fold(t("result.reliability"), [table(t("result.reliability"), columns, lines)]))
    return parts


def compare_view(queries: Queries, one: str, two: str) -> list[Any]:
    """Two studies in columns, and what parts them."""
    tones = {"better": "tone-good", "worse": "tone-bad"}
    rows = [
        [
            [r["name"], html.Span(r["unit"], className="interval")], r["a"], r["b"],
            [
                html.Strong(r["difference"], className=tones.get(r["tone"], "")),
                html.Span(f"{r['interval']}; {t('beside.' + r['tone'])}", className="interval"),
            ],
        ]
        for r in tables.compare_rows(queries, one, two)
    ]  # fmt: skip
    columns = [t("effect.what"), "A", "B", "A − B"]
    return [
        html.P([html.Strong("A "), tables.study_title(queries, one)], className="quiet"),
        html.P([html.Strong("B "), tables.study_title(queries, two)], className="quiet"),
        table(t("beside.title"), columns, rows),
        html.P(t("beside.note"), className="fine"),
    ]


def review_view(remarks: Sequence[Remark], lost: Any) -> list[Any]:
    """Faults and warnings of a draft, and who loses the way."""
    parts: list[Any] = []
    for one in remarks:
        where = t("review.measure", n=one.measure + 1) if one.measure is not None else ""
        lead = t("review.fault" if one.fault else "review.warning")
        parts.append(
            html.P(
                [html.Strong(f"{lead} {where}".strip() + ": "), one.words],
                className="fault" if one.fault else "notice warn",
            )
        )
    if len(lost):
        rows = [
            [f"{r.origin} – {r.dest}", views.option_label("classes", str(r.vehicle_class)), number(r.trips_veh, 1)]
            for r in lost.head(8).itertuples()
        ]
        columns = [t("review.trip"), t("review.class"), t("review.veh")]
        parts.append(
            fold(t("review.lost", n=f"{lost['trips_veh'].sum():,.0f}"), [table(t("review.trip"), columns, rows)])
        )
    return parts or [html.P(t("review.fine"), className="quiet")]


def preview_view(answer: Foreseen | None, fault: str, *, learning: str | None, empty: bool) -> list[Any]:
    """The instant answer; or how to get one."""
    if fault:
        return [html.P(fault, className="fault")]
    if learning is not None:
        return [
            html.P(
                [t("preview.learning") + " ", html.A(t("preview.watch"), href=href(f"/scenarios?job={learning}"))],
                className="quiet",
            )
        ]
    if answer is None and not empty:
        return []
    if answer is None:
        return [
            html.P(t("preview.none"), className="quiet"),
            html.Div(
                [
                    dmc.NumberInput(
                        id=ids.SCENARIO_LEARN_COUNT, label=t("preview.count"), value=150, min=20, max=1000, step=10,
                        size="xs", w=120,
                    ),
                    html.Button(t("preview.learn"), id={"learn": 0}, n_clicks=0, type="button", className="button"),
                ],
                className="row end",
            ),
            html.P(t("preview.note"), className="fine"),
        ]  # fmt: skip
    parts: list[Any] = []
    if not answer.inside:
        parts.append(
            html.P([html.Strong(t("preview.outside") + " "), "; ".join(answer.reasons) + "."], className="notice warn")
        )
    rows = [
        [
            [r["name"], html.Span(r["unit"], className="interval")],
            [html.Strong(r["effect"]), html.Span(f"{r['interval']}; {r['clear']}", className="interval")],
        ]
        for r in foreseen_rows(answer.effects)
    ]
    parts.append(table(t("preview.title"), [t("effect.what"), t("effect.change")], rows))
    parts.append(html.P(t("preview.by", window=answer.window, ms=f"{1000 * answer.seconds:.0f}"), className="fine"))
    return parts


def candidates_view(measures: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[Any]:
    """A row for each measure of the draft, with what it costs."""
    if len(measures) < 2:
        return [html.P(t("recommend.few"), className="quiet")]
    rows = []
    for k, entry in enumerate(measures):
        what, where = views.measure_words(entry, names)
        rows.append(
            dmc.NumberInput(
                id={"cost": k},
                label=t("recommend.cost", what=f"{what} ({where})"),
                value=0,
                min=0,
                step=0.1,
                size="xs",
                decimalScale=3,
            )
        )
    return rows


def candidate_labels(measures: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    """What each candidate is called in plans and reasons."""
    return [f"{what} ({where})" for what, where in (views.measure_words(entry, names) for entry in measures)]


def recommendation_view(queries: Queries, run: str) -> list[Any]:
    """Plans that no other beats, each with its reason, and a button that makes a draft of it."""
    told = queries.keep(("recommendation", run), lambda: queries.workspace.runs.read_json(run, "recommendation"))
    parts: list[Any] = [
        html.H2(t("recommend.title")),
        html.P(
            t("recommend.told", n=told["simulated"], plans=told["plans"], found=len(told["advice"])), className="quiet"
        ),
    ]
    if not told["advice"]:
        parts.append(html.P(t("recommend.nothing"), className="notice warn"))
    for k, one in enumerate(told["advice"]):
        rows = []
        for e in one["effects"]:
            known = e["lower"] is not None and e["lower"] == e["lower"]
            words = (
                t("effect.interval", low=signed(e["lower"], 2), high=signed(e["upper"], 2))
                if known
                else t("effect.one")
            )
            name = views.SHOWN.get(e["objective"], (t("recommend.aim." + e["objective"]), "", 0, 0))[0]
            rows.append(
                [
                    [name, html.Span(e["unit"], className="interval")],
                    [html.Strong(signed(e["effect"], 2)), html.Span(words, className="interval")],
                ]
            )
        parts.append(
            html.Article(
                [
                    html.H3(one["name"]),
                    html.P(t("recommend.sure" if one["sure"] else "recommend.unsure"), className="quiet"),
                    html.P(stored(one["reason"])),
                    table(one["name"], [t("effect.what"), t("effect.change")], rows),
                    html.Button(t("recommend.use"), id={"plan": k}, n_clicks=0, type="button", className="button"),
                ],
                className="advice",
            )
        )
    return parts


def plan_form(queries: Queries, run: str, question: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A recommended plan as a draft: the measures of its candidates."""
    told = queries.workspace.runs.read_json(run, "recommendation")["advice"][number]
    chosen = [one for one, level in zip(question["candidates"], told["plan"]) if level]
    measures = [dict(entry) for one in chosen for entry in one["measures"]]
    return {"name": f"{question['name']}_plan"[:64], "label": told["name"], "measures": measures}


def earlier_view(past: Sequence[tables.Past], here: str) -> list[Any]:
    """Runs of the workspace to open again."""
    if not past:
        return [html.P(t("earlier.none"), className="quiet")]
    rows = [
        html.Li(
            [
                html.A(
                    one.label,
                    href=href(f"/scenarios?{one.query}"),
                    **({"aria-current": "true"} if one.query == here else {}),
                ),
                html.Span(one.note, className="quiet"),
            ]
        )
        for one in past
    ]
    return [html.Ul(rows, className="earlier")]


def hour_chart(queries: Queries, run: str, quantity: str, theme: str | None) -> Any:
    """The chart by hour, or why there is none."""
    from app.figures.by_hour import by_hour

    rows = tables.hourly(queries, run, quantity)
    if rows.empty:
        return html.P(t("result.hours.none"), className="quiet")
    unit = views.SHOWN[quantity][1]
    return dcc.Graph(
        figure=by_hour(rows, unit=unit.replace(t("unit.day"), t("unit.hour")), theme=theme),
        config={"displayModeBar": False}, style={"height": "190px"}, responsive=True,
    )  # fmt: skip
