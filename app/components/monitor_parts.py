"""Parts of the monitor page: the strip, alarms, sensors by the hour, errors, changes of models, and jobs."""

from __future__ import annotations

from typing import Any

import pandas as pd
from dash import dcc, html

from app import monitor_views as views
from app import sensor_views
from app.components.parts import figure, icon, legend_keys, stored
from app.display import DISPLAY
from app.figures.alarm import alarm_chart
from app.queries import Info, Queries
from app.retraining import next_fixed, schedule_of
from app.texts import ahead, model_name, signed, t

_TONES = {"open": "bad", "acknowledged": "warn", "closed": "quiet"}
_MOST_ALARMS, _MOST_HEARD = 60, 40
_KEYS = {"heard": "var(--heard)", "part": "var(--part)", "silent": "var(--silent)", "faulty": "var(--faulty)"}


def local(at: Any, zone: str) -> str:
    """An instant in the city's time."""
    return "–" if at is None or pd.isna(at) else pd.Timestamp(at).tz_convert(zone).strftime("%Y-%m-%d %H:%M")


def strip_parts(queries: Queries) -> list[Any]:
    """The figures under the header."""
    f = views.figures(queries)
    silent = f.zones - f.fresh
    worse = "" if f.change != f.change else signed(100 * f.change, 0)
    cover = "–" if f.coverage != f.coverage else f"{100 * f.coverage:.0f}"
    note = t("monitor.kpi.fresh.some", n=silent) if silent else t("monitor.kpi.fresh.all")
    seen = t("monitor.kpi.alarms.note", n=f.acknowledged) if f.acknowledged else t("monitor.kpi.alarms.none")
    scored = t("monitor.kpi.error.note", n=f.scored) if f.scored else t("monitor.kpi.error.none")
    return [
        figure(t("monitor.kpi.fresh"), str(f.fresh), t("monitor.kpi.fresh.unit", n=f.zones), note),
        figure(t("monitor.kpi.alarms"), str(f.open), "", seen),
        figure(t("monitor.kpi.error"), worse or "–", "%" if worse else "", scored),
        figure(t("monitor.kpi.cover"), cover, "%" if cover != "–" else "", t("monitor.kpi.cover.note")),
        figure(t("monitor.kpi.models"), str(f.models), "", t("monitor.kpi.models.note", n=f.pinned)),
    ]


def checked(queries: Queries) -> list[Any]:
    """When the monitor last ran."""
    found, zone = views.found(queries), queries.info().timezone
    if found is None:
        return [t("monitor.checked.never")]
    words = t("monitor.checked", since=local(found.told["since"], zone), now=local(found.told["now"], zone))
    return [words, " ", html.Strong(t("monitor.checked.newer"))] if views.newer_readings(queries) else [words]


# ---------------------------------------------------------------------- alarms


def alarm_list(queries: Queries, which: str, selected: str) -> list[Any]:
    """A button each alarm; what nobody has seen first."""
    if queries.choices().empty and views.found(queries) is None:
        return [html.P(t("monitor.begin.untrained"), className="notice")]
    table = views.alarms(queries)
    if views.found(queries) is None and table.empty:
        return [html.H3(t("monitor.begin.title")), html.P(t("monitor.begin"), className="notice")]
    shown = views.filtered(table, which)
    if shown.empty:
        return [html.P(t("monitor.alarms.none" if table.empty else "monitor.alarms.none.filter"), className="notice")]
    info = queries.info()
    cards = [html.Li(_alarm(a, info, selected)) for a in shown.head(_MOST_ALARMS).itertuples()]
    return [html.Ul(cards, className="alarms")]


def _alarm(alarm: Any, info: Info, selected: str) -> html.Button:
    what = t(f"monitor.kind.{alarm.kind}")
    quantity = DISPLAY[alarm.target][3] if alarm.target in DISPLAY else alarm.target
    return html.Button(
        [
            html.Span(t(f"monitor.state.{alarm.state}"), className=f"mark mark-{_TONES[alarm.state]}"),
            html.Span(
                [
                    html.Strong(f"{what}: {quantity}"),
                    html.Span(f"{alarm.zone_id} {alarm.name}, {alarm.size_text}", className="what"),
                    html.Span(t("monitor.alarm.since", since=local(alarm.since, info.timezone)), className="what"),
                ]
            ),
            html.Span(t(f"monitor.advice.{views.advice_now(alarm, info.now)}"), className="advice"),
        ],
        id={"alarm": alarm.alarm_id}, n_clicks=0, type="button", className="alarm",
        **{"aria-pressed": str(alarm.alarm_id == selected).lower()},
    )  # fmt: skip


def alarm_detail(queries: Queries, selected: str, theme: str | None) -> tuple[list[Any], bool]:
    """An alarm in full, and whether it can be acknowledged."""
    table = views.alarms(queries)
    mine = table[table["alarm_id"] == selected] if selected else table.iloc[:0]
    if mine.empty:
        return ([html.P(t("monitor.detail.pick"), className="quiet")] if len(table) else []), False
    alarm, info = next(mine.itertuples()), queries.info()
    zone = info.timezone
    quantity, unit = (
        (DISPLAY[alarm.target][3], DISPLAY[alarm.target][0]) if alarm.target in DISPLAY else (alarm.target, "")
    )
    what = f"{t(f'monitor.kind.{alarm.kind}')}: {quantity}"
    facts: list[tuple[str, Any]] = [
        (t("monitor.detail.since"), local(alarm.since, zone)),
        (t("monitor.detail.seen"), local(alarm.first_seen, zone)),
        (t("monitor.detail.level"), t("monitor.detail.level.value", x=alarm.level)),
    ]
    if alarm.acknowledged_by:
        facts.append((t("monitor.detail.ack"), alarm.acknowledged_by))
    if alarm.note:
        facts.append((t("monitor.detail.note"), alarm.note))
    if alarm.state == "closed":
        facts.append((t("monitor.detail.closed"), [f"{local(alarm.closed, zone)}, ", stored(alarm.closed_why)]))
    advice = views.advice_now(alarm, info.now)
    lasts = ""
    if alarm.state != "closed":
        lasts = f". {t('monitor.detail.lasts', age=sensor_views.age_words(info.now - alarm.since))}"
    parts: list[Any] = [
        html.H3(what),
        html.P(f"{alarm.zone_id} {alarm.name}", className="quiet"),
        html.P([html.Strong(t("monitor.detail.why") + ". "), stored(alarm.reason)], className="notice"),
        html.P([html.Strong(t("monitor.detail.advice") + ". "), t(f"monitor.advice.{advice}"), lasts]),
        html.Dl([part for name, value in facts for part in (html.Dt(name), html.Dd(value))], className="facts"),
    ]
    rows = views.alarm_series(queries, alarm)
    if len(rows):
        since = pd.Timestamp(alarm.since).tz_convert(zone).tz_localize(None)
        chart = alarm_chart(rows, unit=unit, since=since, theme=theme)
        begin, end = (f"{rows['time'].iloc[k]:%Y-%m-%d %H:%M}" for k in (0, -1))
        label = t("monitor.chart", what=quantity, begin=begin, end=end)
        graph = dcc.Graph(figure=chart, config={"displayModeBar": False}, responsive=True, style={"height": 210})
        parts.append(html.Div(graph, role="img", **{"aria-label": label}))
    return parts, alarm.state != "closed"


# ---------------------------------------------------------------------- sensors


def sensor_table(queries: Queries) -> list[Any]:
    """Zones by hours: stretches of one state are one cell."""
    info, table = queries.info(), sensor_views.sensors(queries)
    if table.empty:
        return []
    hours = [at for state, first, last, n in table["runs"].iloc[0] for at in pd.date_range(first, periods=n, freq="h")]
    first = pd.Timestamp(table["runs"].iloc[0][0][1])
    heads = [
        html.Th((first + pd.Timedelta(hours=k)).tz_convert(info.timezone).strftime("%H"), colSpan=3, scope="colgroup")
        for k in range(0, len(hours), 3)
    ]
    heard = table[table["state"].isin(("heard", "none"))]
    hidden = set(heard["zone_id"].iloc[_MOST_HEARD:])
    shown = table[~table["zone_id"].isin(hidden)]
    body = [_sensor_row(r, info) for r in shown.to_dict("records")]
    head = html.Tr(
        [html.Th(t("monitor.sensors.zone"), scope="col"), html.Th(t("monitor.sensors.last"), scope="col"), *heads]
    )
    parts: list[Any] = [
        html.Div(
            html.Table(
                [html.Caption(t("monitor.sensors"), className="unseen"), html.Thead(head), html.Tbody(body)],
                className="hours",
            ),
            className="scroll", tabIndex=0, role="region",
            **{"aria-label": t("monitor.table", of=t("monitor.sensors"))},
        )
    ]  # fmt: skip
    if hidden:
        parts.append(html.P(t("monitor.sensors.more", n=len(hidden)), className="fine"))
    return [legend_keys("", [(colour, t(f"monitor.hours.{key}")) for key, colour in _KEYS.items()]), *parts]


def _sensor_row(row: dict[str, Any], info: Info) -> html.Tr:
    if pd.isna(row["last"]):
        last = t("monitor.hours.none") if row["state"] == "none" else t("monitor.sensors.never")
    elif row["state"] == "silent":
        last = t("monitor.sensors.ago", age=sensor_views.age_words(row["age"]))
    else:
        last = pd.Timestamp(row["last"]).tz_convert(info.timezone).strftime("%H:%M")
    cells = []
    for state, begin, end, n in row["runs"]:
        ends = pd.Timestamp(end) + pd.Timedelta(hours=1)
        told = t(
            "monitor.hours.span", state=t(f"monitor.hours.{state}"),
            begin=pd.Timestamp(begin).tz_convert(info.timezone).strftime("%H:%M"),
            end=ends.tz_convert(info.timezone).strftime("%H:%M"),
        )  # fmt: skip
        cells.append(
            html.Td(html.Span(html.Span(told, className="unseen")), colSpan=n, className=f"h-{state}", title=told)
        )
    name = [html.Span(row["zone_id"], className="quiet"), " ", row["name"]]
    return html.Tr(
        [
            html.Th(html.Span(name, className="cut"), scope="row"),
            html.Td(last, className=f"last last-{row['state']}"),
            *cells,
        ]
    )


# ---------------------------------------------------------------------- errors


def error_table(queries: Queries, target: str) -> list[Any]:
    """Each zone's error now against validation."""
    rows = views.error_rows(queries, target) if target else pd.DataFrame()
    if rows.empty:
        return [html.P(t("monitor.errors.none"), className="notice")]
    unit, digits = DISPLAY[target][0], DISPLAY[target][2] + 1
    horizon = ahead(float(rows["horizon_s"].iloc[0]))

    def number(value: float, form: str) -> str:
        return "–" if value != value else form.format(value)

    body, form = [], f"{{:,.{digits}f}}"
    for r in rows.to_dict("records"):
        change = "–" if r["change"] != r["change"] else f"{signed(100 * r['change'], 0)} %"
        tone = " tone-bad" if r["change"] > 0.5 else ""
        alarm = html.Span(t("monitor.errors.alarm"), className="mark mark-bad") if r["state"] == "alarm" else None
        name = [html.Span(r["zone_id"], className="quiet") if not r["zone_id"].startswith("_") else "", " ", r["name"]]
        body.append(
            html.Tr(
                [
                    html.Th([html.Span(name, className="cut"), alarm], scope="row"),
                    html.Td(
                        number(r["mae"], f"{{:,.{digits}f}}") if r["n"] else t("monitor.errors.fresh"),
                        className="number",
                    ),
                    html.Td(number(r["validation"], form), className="number"),
                    html.Td(change, className="number" + tone),
                    html.Td(number(100 * r["coverage"], "{:.0f} %"), className="number"),
                    html.Td(f"{r['n']:,}", className="number wide"),
                    html.Td(r["version"], className="number wide"),
                ]
            )
        )
    heads = [
        html.Th(t("monitor.errors.zone"), scope="col"),
        html.Th(t("monitor.errors.now", unit=unit), scope="col", className="number"),
        html.Th(t("monitor.errors.then", unit=unit), scope="col", className="number"),
        html.Th(t("monitor.errors.change"), scope="col", className="number"),
        html.Th(t("monitor.errors.cover"), scope="col", className="number"),
        html.Th(t("monitor.errors.n"), scope="col", className="number wide"),
        html.Th(t("monitor.errors.version"), scope="col", className="number wide"),
    ]
    table = html.Table(
        [html.Caption(t("monitor.errors"), className="unseen"), html.Thead(html.Tr(heads)), html.Tbody(body)]
    )
    return [
        html.P(t("monitor.errors.sub", unit=unit, ahead=horizon), className="quiet"),
        html.Div(
            table,
            className="scroll",
            tabIndex=0,
            role="region",
            **{"aria-label": t("monitor.table", of=t("monitor.errors"))},
        ),
    ]


# ---------------------------------------------------------------------- models, log, jobs


def model_now(queries: Queries, zone: str, target: str) -> tuple[str, bool]:
    """The version in force in words, and whether it is pinned."""
    table = views.models(queries)
    mine = table[(table["zone_id"] == zone) & (table["target"] == target) & (table["version"] != "")]
    if mine.empty:
        return t("monitor.model.none"), False
    row = mine.iloc[0]
    end = local(row["train_end"], queries.info().timezone) if row["train_end"] else "–"
    told = {"version": row["version"], "n": row["versions"], "family": model_name(str(row["family"])), "end": end}
    if row["pinned"]:
        return t("monitor.model.pinned", **told, note=row["note"]), True
    return t("monitor.model.now", **told), False


def policy_now(queries: Queries) -> str:
    """What the policy does, and when next."""
    schedule, info = schedule_of(queries.workspace), queries.info()
    trained = [pd.Timestamp(x) for x in views.models(queries)["train_end"] if x]
    at = next_fixed(schedule, min(trained)) if trained else None
    return t(f"monitor.policy.now.{schedule.kind}", n=schedule.every_days, next=local(at, info.timezone))


def log_table(queries: Queries) -> list[Any]:
    """Who changed what is in force, newest first; what was done to many at once is one entry."""
    groups = views.grouped(views.log_rows(queries))
    if not groups:
        return [html.P(t("monitor.log.none"), className="quiet")]
    return [html.Ul([html.Li(_log_entry(rows)) for rows in groups], className="log")]


def _log_entry(rows: list[dict[str, Any]]) -> list[Any]:
    """One change, or many of a kind with each of them to unfold."""
    first = rows[0]
    title = _log_title(first)
    if len(rows) > 1:
        title = t("monitor.log.many", n=len(rows), what=t(f"monitor.log.many.{first['action']}"))
    head = html.Div([html.Strong(title), html.Span(first["when"], className="quiet")], className="between")
    if len(rows) == 1:
        return [head, html.Span([first["by"], *_because(": ", first["why"])], className="what")]
    each = [html.Li([_log_title(r), *_because("; ", r["why"])]) for r in rows]
    return [
        head, html.Span(first["by"], className="what"),
        html.Details([html.Summary(t("monitor.log.each")), html.Ul(each)]),
    ]  # fmt: skip


def _because(mark: str, why: str) -> list[Any]:
    return [mark, stored(why)] if why else []


def _log_title(row: dict[str, Any]) -> str:
    known = row["action"] in ("promote", "keep", "rollback", "pin", "unpin")
    told = {"action": row["action"], "version": row["version"], "was": row["was"] or "–"}
    place = {"_city": t("monitor.log.city"), "_mix": t("monitor.log.mix")}.get(row["zone_id"], row["zone_id"])
    what = t(f"monitor.log.{row['action'] if known else 'other'}", **told)
    return f"{place}, {row['quantity']}: {what}"


def job_table(queries: Queries) -> list[Any]:
    """The workspace's jobs, newest first."""
    rows = views.job_rows(queries)
    if not rows:
        return [html.P(t("monitor.jobs.none"), className="quiet")]
    body = []
    for r in rows:
        state = t(f"monitor.jobs.{r['state']}", p=100 * r["share"])
        stop = None
        if r["open"]:
            stop = html.Button(
                [icon("player-stop"), t("monitor.jobs.stop")], id={"stop": r["id"]}, n_clicks=0, type="button",
                className="button danger", **{"aria-label": t("monitor.jobs.stop.label", kind=r["kind"])},
            )  # fmt: skip
        body.append(
            html.Tr(
                [
                    html.Th([r["kind"], stored(r["message"], className="what")], scope="row"),
                    html.Td([html.Span(state, className=f"mark mark-{_job_tone(r['state'])}"), stop]),
                    html.Td(r["started"], className="number"),
                    html.Td(r["ended"], className="number wide"),
                ]
            )
        )
    heads = [html.Th(t(f"monitor.jobs.{key}"), scope="col", className=look) for key, look in
             (("kind", ""), ("state", ""), ("started", "number"), ("ended", "number wide"))]  # fmt: skip
    caption = html.Caption(t("monitor.jobs"), className="unseen")
    return [html.Table([caption, html.Thead(html.Tr(heads)), html.Tbody(body)], className="jobs")]


def _job_tone(state: str) -> str:
    return {"failed": "bad", "running": "warn", "queued": "warn", "done": "ok"}.get(state, "quiet")
