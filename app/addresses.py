"""Addresses within the app: the same pages stand at the root and, for every other workspace, below `/w/<name>`."""

from __future__ import annotations

from flask import has_request_context, request

MOUNT = "/w/"


def href(path: str) -> str:
    """Address of a page or of data of the workspace that the request is about."""
    return f"{request.script_root if has_request_context() else ''}{path}"


def bare(address: str) -> str:
    """The path without what `href` puts before it."""
    root = request.script_root if has_request_context() else ""
    return address.removeprefix(root) or "/" if root and address.startswith(root) else address


def address_of(name: str) -> str:
    """Where the pages of a workspace stand."""
    return f"{MOUNT}{name}/"
