"""Settings of Sphinx; see `make docs`."""

import sys
from pathlib import Path

import hkjax

sys.path.insert(0, str(Path(__file__).parent))

project = "hkjax"
author = "The hkjax authors"
version = release = hkjax.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "coverage",
    "reference",
    "source_links",
]
exclude_patterns = ["_build"]
html_theme = "sphinx_book_theme"
html_title = "hkjax"
html_static_path = ["_static"]
html_css_files = ["hkjax.css"]
# The sidebar has the search field already.
html_theme_options = {"navbar_persistent": []}
# Formulas in tables stay on one line.
mathjax4_config = {"output": {"linebreaks": {"inline": False}}}
smartquotes = False
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# The notebook is executed by every build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autosummary_generate = False
# Types are in the signatures; these sections keep entries such as "a, b: text" together.
napoleon_custom_sections = [("Args", "params_style"), ("Attributes", "params_style")]
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
