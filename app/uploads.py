"""Files that come through the browser: checked for name, kind and size, then kept below the workspace's `uploads/`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from app.texts import t
from app.upload_content import check_content
from data.errors import InputError
from data.store.folder import write_atomic
from data.store.workspace import Workspace

#: A file that comes through the browser: base64 in one request, held in memory for a moment.
MOST_UPLOAD_BYTES = 60_000_000
READINGS = (".csv", ".csv.gz", ".txt", ".parquet", ".h5", ".zip")
STREETS = (".osm", ".osm.gz", ".osm.bz2", ".osm.pbf", ".pbf", ".graphml")
TABLES = (".csv", ".csv.gz", ".txt", ".parquet")
_PLAIN = re.compile(r"[^A-Za-z0-9_.-]+")


def keep_upload(workspace: Workspace, name: str, content: str, kinds: Sequence[str]) -> str:
    """Store an upload as the page gives it; returns the plain name that it was stored under.

    Parameters
    ----------
    name : str
        As the browser says; nothing but letters, digits, `_`, `-` and `.` of its last part is kept.
    content : str
        `data:<type>;base64,<bytes>`.
    kinds : sequence of str
        Endings that are allowed.

    Raises
    ------
    InputError
        If the kind is not allowed, the content is damaged, of another kind than the name says, or too large as it is or
        unpacked; nothing is stored then.
    """
    plain = plain_name(name, kinds)
    if len(content) > 4 * MOST_UPLOAD_BYTES // 3 + 1000:  # base64 of more: not even unpacked
        check_size(plain, 3 * len(content) // 4)
    try:
        body = base64.b64decode(content.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise InputError(t("start.error.damaged", name=plain)) from None
    check_size(plain, len(body))
    check_content(plain, body)
    write_atomic(workspace.root / "uploads" / plain, body)
    return plain


def plain_name(name: str, kinds: Sequence[str]) -> str:
    """The name without folders and odd characters; `InputError` for another kind of file."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = _PLAIN.sub("_", last).lstrip(".")[-100:]
    if not plain.lower().endswith(tuple(kinds)):
        raise InputError(t("start.error.type", name=last[:100], kinds=", ".join(kinds)))
    return plain


def check_size(name: str, size: int) -> None:
    """`InputError` for a file that is too large for the browser's way."""
    if size > MOST_UPLOAD_BYTES:
        raise InputError(t("start.error.size", name=name, size=megabytes(size), most=megabytes(MOST_UPLOAD_BYTES)))


def megabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
