"""The site: `make docs` builds it into build/site.

Pages are plain Markdown that reads well in the repository, too; what only a site can do is added
while it is built, by the extensions in `_sphinx`.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_sphinx"), str(HERE.parent)]

from nanobanana_async import __version__  # noqa: E402 - found by the line above

project = "nanobanana-async"
author = "The nanobanana-async authors"
project_copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "contents",
    "code_links",
    "commands",
    "links",
    "public_names",
    "terminals",
]
exclude_patterns = ["_sphinx", "examples"]
# What a docstring has in single backticks is a name, where it is one.
default_role = "py:obj"

myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "undoc-members": True,
}
autodoc_typehints_format = "short"
add_module_names = False
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = "$ "

pygments_dark_style = "github-dark"
html_theme = "furo"
html_title = project
html_static_path = ["_sphinx/static"]
html_css_files = ["site.css"]
html_favicon = "_sphinx/static/favicon.svg"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
# A site that is looked at from a disk or a test has no address of its own.
html_baseurl = ""
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#7a5c00", "color-brand-content": "#7a5c00"},
    "dark_css_variables": {"color-brand-primary": "#f2c94c", "color-brand-content": "#f2c94c"},
}
