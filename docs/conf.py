"""How the documentation site is built: `make docs`, from Markdown, docstrings and the command line's own help.

Sphinx with MyST (Markdown) and Furo (the look). Everything that a page loads is in the built folder: no fonts, scripts
or formulas come from elsewhere. Formulas are written as MathML by docutils while the site is built.
"""

import sys
from pathlib import Path
from tomllib import loads

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT)]

_PROJECT = loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
project = "Zonewise"
author = "The Zonewise authors"
copyright = "the Zonewise authors"
version = release = _PROJECT["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "api_pages",
    "docstrings",
    "mathml",
    "repository_links",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_ext", "_static", "examples"]
nitpicky = False  # types in signatures are often those of NumPy and pandas, whose pages are not at hand
default_role = "literal"  # docstrings write `name` for code

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "substitution"]
myst_heading_anchors = 4

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_use_keyword = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_maximum_signature_line_length = 100
toc_object_entries = False

html_theme = "furo"
html_title = f"Zonewise {version}"
html_static_path = ["_static"]
html_css_files = ["zonewise.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "font-stack": "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif",
        "font-stack--monospace": "ui-monospace, 'Liberation Mono', monospace",
    },
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
