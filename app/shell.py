"""What every page shares: header, navigation, theme, and the frame that a page is put into."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from app import ids
from app.addresses import bare, href
from app.components.parts import icon, message, skeleton
from app.layers import is_measured
from app.queries import NotReadyError, Queries
from app.sensor_views import header_status
from app.serving.people import current
from app.texts import CATALOGUES, language, t
from data.errors import ZonewiseError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page stands in the navigation; `key` is that of its texts."""

    path: str
    key: str
    icon: str


def frame(queries: Queries, pages: Sequence[ModuleType]) -> dmc.MantineProvider:
    """The whole document: header, content, bottom navigation."""
    return dmc.MantineProvider(
        [
            dcc.Location(id=ids.URL, refresh="callback-nav"),
            dcc.Store(id=ids.THEME),
            dcc.Store(id=ids.THEME_CHOICE, storage_type="local"),
            dcc.Store(id=ids.ACTIVE),
            html.A(t("skip"), href="#page", className="skip"),
            _header(queries, pages),
            html.Main(html.Div(skeleton(), id=ids.PAGE), id="content"),
            html.Nav(_links(pages, short=True), className="bottom", **{"aria-label": t("nav.label")}),
        ],
        id=ids.PROVIDER,
        forceColorScheme="light",
        theme={"fontFamily": "Inter, sans-serif", "primaryColor": "blue"},
    )


def _header(queries: Queries, pages: Sequence[ModuleType]) -> html.Header:
    try:
        label = queries.info().label
    except ZonewiseError:
        label = queries.workspace.name
    return html.Header(
        [
            html.Div(className="logo", **{"aria-hidden": "true"}),
            html.Div([html.Strong(t("product")), html.Span(label)], className="brand"),
            html.Nav(_links(pages), className="pages", **{"aria-label": t("nav.label")}),
            html.Div(status(queries), id=ids.STATUS, className="status"),
            html.Span(id=ids.COPY_SAID, className="said", role="status"),
            _other_language(),
            html.Button(
                icon("link"),
                id=ids.COPY_BUTTON,
                n_clicks=0,
                className="icon-button copy",
                type="button",
                **{"aria-label": t("copy"), "data-said": t("copy.done")},
            ),
            html.Button(
                [icon("moon"), icon("sun")],
                id=ids.THEME_BUTTON,
                n_clicks=0,
                className="icon-button theme",
                type="button",
                **{"aria-label": t("theme")},
            ),
            *_signed_in(),
        ]
    )


def _other_language() -> html.A:
    """A link that opens this view in the other language; the browser adds the address as it is when it is clicked."""
    other = next(tag for tag in CATALOGUES if tag != language())
    return html.A(
        other.upper(), href=f"?lang={other}", id=ids.LANGUAGE, className="icon-button language", lang=other,
        hrefLang=other, title=t("language.other"), **{"aria-label": t("language.other")},
    )  # fmt: skip


def _signed_in() -> list[Any]:
    """Who is signed in, and the way out; nothing where nobody signs in."""
    person = current()
    if not person.name:
        return []
    role = t(f"role.{person.role}")
    who = [html.Strong(person.name), html.Span(role)]
    out = html.Button(
        icon("logout"), type="submit", className="icon-button", title=t("signin.out"), **{"aria-label": t("signin.out")}
    )
    return [
        html.Div(who, className="person", title=t("signin.as", name=person.name, role=role)),
        html.Form(out, action="/sign-out", method="POST") if person.leaves else None,
    ]


def status(queries: Queries) -> list[Any]:
    """Up to when readings reach, and how old they are where a feed has fallen silent."""
    try:
        (clock, age), measured = header_status(queries), is_measured(queries)
    except ZonewiseError:
        clock, age, measured = "–", "", False
    return [
        html.Span(className="dot stale" if age else "dot"),
        html.Span(t("status.measured" if measured else "status"), className="status-words"),
        html.Strong(clock),
        html.Span(t("status.stale", age=age), className="stale-words") if age else None,
    ]


def _links(pages: Sequence[ModuleType], *, short: bool = False) -> list[Any]:
    return [
        dcc.Link(
            [icon(page.PAGE.icon), html.Span(t(page.PAGE.key + ".short"))] if short else t(page.PAGE.key),
            href=href(page.PAGE.path),
        )
        for page in pages
    ]


def content(queries: Queries, pages: Sequence[ModuleType], path: str, search: str) -> Any:
    """A page, or the state that stands in for it."""
    page = next((p for p in pages if p.PAGE.path == (path.rstrip("/") or "/")), None)
    if page is None:
        return message(t("state.nopage"), t("state.missing"), tone="missing")
    try:
        return page.layout(queries, **dict(parse_qsl((search or "").lstrip("?"))))
    except NotReadyError as error:
        return message(t("state.empty"), str(error))
    except ZonewiseError as error:
        log.exception("page %s", path)
        return message(t("state.error"), str(error), tone="error")


def register(app: Dash, queries: Queries, pages: Sequence[ModuleType]) -> None:
    """Navigation, theme and the copy button."""

    @app.callback(Output(ids.PAGE, "children"), Input(ids.URL, "pathname"), State(ids.URL, "search"))
    def show(path: str | None, search: str | None) -> Any:
        return content(queries, pages, bare(path or "/"), search or "")

    def local(function: str) -> str:
        return f"(...given) => window.dash_clientside.zonewise.{function}(...given)"

    app.clientside_callback(
        local("flipTheme"),
        Output(ids.THEME_CHOICE, "data"),
        Input(ids.THEME_BUTTON, "n_clicks"),
        State(ids.THEME, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(local("themeOf"), Output(ids.THEME, "data"), Input(ids.THEME_CHOICE, "data"))
    app.clientside_callback(local("useTheme"), Output(ids.PROVIDER, "forceColorScheme"), Input(ids.THEME, "data"))
    app.clientside_callback(
        local("copyLink"),
        Output(ids.COPY_SAID, "children"),
        Input(ids.COPY_BUTTON, "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(local("activeLink"), Output(ids.ACTIVE, "data"), Input(ids.URL, "pathname"))
