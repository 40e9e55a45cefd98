"""Formulas as MathML, written by docutils' own converter: every browser shows it, and no script is loaded."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

_LOG = logging.getLogger(__name__)


def _written(source: str, node: nodes.Element, *, as_block: bool) -> str:
    try:
        return str(latex2mathml.tex2mathml(source, as_block=as_block))
    except Exception as error:  # a formula that cannot be read is a fault of the page
        _LOG.warning("formula %r: %s", source, error, location=node)
        raise nodes.SkipNode from error


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(_written(node.astext(), node, as_block=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula of its own."""
    self.body.append(f'<div class="math">{_written(node.astext(), node, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it known to Sphinx under the name `mathml`."""
    if not hasattr(latex2mathml, "tex2mathml"):
        raise ExtensionError("docutils is too old to write MathML; 0.22 or newer does")
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
