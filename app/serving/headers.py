"""Headers that keep a page to itself: what it may load and run, who may frame it, what it tells others.

Scripts run from our own files or with the page's nonce; nothing is evaluated from text, nothing comes from outside.
Styles are allowed inline: Mantine, Plotly and Dash set them so, and a style runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

_PAGE = (
    "default-src 'self'",
    "script-src 'self' 'nonce-{nonce}'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
_DATA = "default-src 'none'; frame-ancestors 'none'"
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"),
)


def content_policy(nonce: str) -> str:
    """What a page may load; `nonce` marks the scripts within it."""
    return "; ".join(_PAGE).format(nonce=nonce)


def guarded(headers: Iterable[tuple[str, str]], *, nonce: str, request_id: str, keep: bool) -> list[tuple[str, str]]:
    """Headers of an answer with those that every answer has; what a route set itself stays.

    Parameters
    ----------
    keep : bool
        Whether an answer that says nothing about it may stay in a browser's cache.
    """
    out = list(headers)
    there = {name.lower(): value for name, value in out}
    page = there.get("content-type", "").startswith("text/html")
    more = [
        *_ALWAYS,
        ("Content-Security-Policy", content_policy(nonce) if page else _DATA),
        ("X-Request-ID", request_id),
    ]
    if not keep:
        more.append(("Cache-Control", "no-store"))
    return out + [(name, value) for name, value in more if name.lower() not in there]
