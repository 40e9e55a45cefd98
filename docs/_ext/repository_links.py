"""Links from a page to a file of the repository (`../../data/schemas.py`) become the file's name in code.

On a forge such a link opens the file; the site holds no source files, so there the name has to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

_PAGES = (".md", ".rst")


def name_files(app: Sphinx, document: nodes.document) -> None:
    """Replace references to files outside the site's pages; those to nothing are left for Sphinx to report."""
    here = Path(app.env.doc2path(app.env.docname)).parent
    root = Path(app.srcdir).resolve().parent
    for node in [*document.findall(addnodes.pending_xref), *document.findall(addnodes.download_reference)]:
        target = str(node.get("reftarget", "")).split("#")[0]
        if not target:
            continue
        file = (here / target).resolve()
        if not file.exists() or not file.is_relative_to(root):
            continue
        if file.suffix in _PAGES and file.is_relative_to(app.srcdir) and "examples" not in file.parts:
            continue
        node.replace_self(nodes.inline("", "", *node.children, classes=["file"]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at each page once it is read."""
    app.connect("doctree-read", name_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
