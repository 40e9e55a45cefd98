"""Versions of a zone's model: what there are, what a person may do about them, and downloads."""

from __future__ import annotations

import json
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from app import ids
from app.components.parts import icon
from app.display import DISPLAY
from app.model_actions import MOST_NAME, MOST_WHY, act
from app.model_downloads import KINDS, download, offers
from app.model_lists import version_rows
from app.model_views import plain_reason, standing
from app.queries import Queries
from app.texts import model_name, t
from data.errors import ZonewiseError


def versions(queries: Queries, zone: str, target: str) -> list[Any]:
    """The table of versions with their buttons, and the downloads."""
    rows = version_rows(queries, zone, target)
    found = standing(queries, zone, target)
    title = html.H2(t("models.versions"))
    if rows.empty:
        return [html.Div([title, html.P(t("models.versions.none"), className="notice")], className="pad")]
    heads = [
        (t("models.head.version"), ""), (t("models.head.family"), ""),
        (t("models.versions.error", unit=DISPLAY[target][0]), "number"), (t("models.versions.why"), "wide"),
        (t("models.versions.do"), ""),
    ]  # fmt: skip
    body = [_row(r, zone, target, pinned=bool(found is not None and found.pin)) for r in rows.to_dict("records")]
    whole = [_act("unpin" if found.pin else "pin", "", zone, target)] if found is not None else []
    if found is not None and found.previous and not found.pin:
        whole.append(_act("rollback", found.previous, zone, target))
    table = html.Table(
        [
            html.Caption(t("models.versions"), className="unseen"),
            html.Thead(html.Tr([html.Th(words, scope="col", className=look) for words, look in heads])),
            html.Tbody(body),
        ],
        className="costs versions",
    )
    return [
        html.Div(
            [title, html.P(t("models.versions.sub"), className="quiet"), html.Div(whole, className="row"), table],
            className="pad",
        ),
        html.Div([html.H2(t("models.take")), *_downloads(queries, zone, target)], className="pad"),
    ]


def _row(r: dict[str, Any], zone: str, target: str, *, pinned: bool) -> html.Tr:
    state = html.Span(t(f"models.state.{r['state']}"), className=f"badge state-{r['state']}") if r["state"] else None
    free = r["state"] in ("", "before") and not pinned
    saved = r["saved"][:16].replace("T", " ")
    who = t("models.versions.by", by=r["by"]) if r["by"] else ""
    return html.Tr(
        [
            html.Th(
                [r["version"], " ", state, html.Span(" ".join(x for x in (saved, who) if x), className="interval")],
                scope="row",
            ),
            html.Td(model_name(r["family"]) if r["family"] else "–"),
            html.Td("–" if r["error"] != r["error"] else f"{r['error']:,.2f}", className="number"),
            html.Td(plain_reason(r["why"]) or "–", className="wide", lang="en"),
            html.Td(_act("promote", r["version"], zone, target) if free else "–"),
        ]
    )


def _act(action: str, version: str, zone: str, target: str) -> html.Button:
    told = json.dumps({"action": action, "version": version, "zone": zone, "target": target})
    words = t(f"models.act.{action}", version=version)
    return html.Button(
        words, id={"model-act": told}, n_clicks=0, type="button", className="button",
        **({"aria-label": t("models.act.promote.this", version=version)} if action == "promote" else {}),
    )  # fmt: skip


def _downloads(queries: Queries, zone: str, target: str) -> list[Any]:
    """A button a kind; where one cannot be had, the words why."""
    why = offers(queries, zone, target)
    buttons = [
        html.Button(
            [icon("download"), t(f"models.take.{kind}")], className="button", n_clicks=0, type="button",
            id={"model-take": json.dumps({"kind": kind, "zone": zone, "target": target})}, disabled=bool(why[kind]),
        )
        for kind in KINDS
    ]  # fmt: skip
    refused: dict[str, list[str]] = {}
    for kind in KINDS:
        if why[kind]:
            refused.setdefault(why[kind], []).append(t(f"models.take.{kind}"))
    notes = [html.P(f"{', '.join(kinds)}: {reason}", className="fine") for reason, kinds in refused.items()]
    return [html.Div(buttons, className="row"), *notes]


def dialog() -> html.Div:
    """The box that asks for a name before anything changes, and what was done."""
    return html.Div(
        [
            dcc.Store(id=ids.MODELS_ASKED),
            dcc.Store(id=ids.MODELS_CHANGED),
            dcc.Download(id=ids.MODELS_TAKEN),
            html.Div(id=ids.MODELS_SAID, className="pad models-said", role="status"),
            html.Div(
                [
                    html.H2(t("models.act.title")), html.P(id=ids.MODELS_ASK),
                    text_field(ids.MODELS_BY, t("models.act.by"), MOST_NAME),
                    text_field(ids.MODELS_WHY, t("models.act.why"), MOST_WHY),
                    html.Div(id=ids.MODELS_FAULT, className="fault", role="alert"),
                    html.Div(
                        [
                            _plain(ids.MODELS_CONFIRM, t("models.act.confirm"), "button primary"),
                            _plain(ids.MODELS_CANCEL, t("models.act.cancel"), "button"),
                        ],
                        className="row",
                    ),
                ],
                id=ids.MODELS_DIALOG, className="ask", role="dialog", hidden=True,
                **{"aria-label": t("models.act.title"), "aria-modal": "false"},
            ),
        ]
    )  # fmt: skip


def text_field(ident: str, label: str, most: int) -> dmc.TextInput:
    """A line of text of at most `most` characters."""
    return dmc.TextInput(id=ident, label=label, size="sm", inputProps={"maxLength": most})


def _plain(ident: str, words: str, look: str) -> html.Button:
    return html.Button(words, id=ident, className=look, n_clicks=0, type="button")


def asked(told: dict[str, Any]) -> str:
    """What will be done, as a question."""
    what = DISPLAY[told["target"]][3]
    return t(f"models.act.{told['action']}.ask", zone=told["zone"], what=what, version=told["version"])


def confirmed(queries: Queries, told: dict[str, Any], by: str | None, why: str | None) -> str:
    """Do it; errors as `act`."""
    place = (told["zone"], told["target"])
    return act(queries.workspace, told["action"], *place, told["version"], by=by or "", why=why or "")


def register(app: Dash, queries: Queries) -> None:
    """A button asks, a name confirms; downloads."""
    app.clientside_callback(
        "(hidden, field) => {"
        " if (hidden === false) window.setTimeout(() => document.getElementById(field).focus(), 60);"
        " return window.dash_clientside.no_update; }",
        Output(ids.MODELS_DIALOG, "title"),
        Input(ids.MODELS_DIALOG, "hidden"),
        State(ids.MODELS_BY, "id"),
    )

    @app.callback(
        Output(ids.MODELS_DIALOG, "hidden"),
        Output(ids.MODELS_ASK, "children"),
        Output(ids.MODELS_ASKED, "data"),
        Output(ids.MODELS_FAULT, "children"),
        Input({"model-act": ALL}, "n_clicks"),
        Input(ids.MODELS_CANCEL, "n_clicks"),
        prevent_initial_call=True,
    )
    def ask(clicks: list[int], cancel: int) -> tuple[Any, ...]:
        if ctx.triggered_id == ids.MODELS_CANCEL:
            return True, no_update, no_update, ""
        if not ctx.triggered_id or not ctx.triggered[0]["value"]:
            return no_update, no_update, no_update, no_update
        told = json.loads(ctx.triggered_id["model-act"])
        return False, asked(told), told, ""

    @app.callback(
        Output(ids.MODELS_DIALOG, "hidden", allow_duplicate=True),
        Output(ids.MODELS_FAULT, "children", allow_duplicate=True),
        Output(ids.MODELS_SAID, "children"),
        Output(ids.MODELS_CHANGED, "data"),
        Input(ids.MODELS_CONFIRM, "n_clicks"),
        State(ids.MODELS_ASKED, "data"),
        State(ids.MODELS_BY, "value"),
        State(ids.MODELS_WHY, "value"),
        prevent_initial_call=True,
    )
    def confirm(clicks: int, told: dict[str, Any] | None, by: str | None, why: str | None) -> tuple[Any, ...]:
        if not clicks or not told:
            return no_update, no_update, no_update, no_update
        try:
            return True, "", confirmed(queries, told, by, why), clicks
        except ZonewiseError as error:
            return False, str(error), no_update, no_update

    @app.callback(
        Output(ids.MODELS_TAKEN, "data"),
        Output(ids.MODELS_SAID, "children", allow_duplicate=True),
        Input({"model-take": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def take(clicks: list[int]) -> tuple[Any, ...]:
        if not ctx.triggered_id or not ctx.triggered[0]["value"]:
            return no_update, no_update
        told = json.loads(ctx.triggered_id["model-take"])
        try:
            name, body = download(queries, told["zone"], told["target"], told["kind"])
        except ZonewiseError as error:
            return no_update, str(error)
        return dcc.send_bytes(body, name), no_update
