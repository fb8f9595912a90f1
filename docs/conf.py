"""How Sphinx builds these pages: `make docs`, no network needed."""

from importlib.metadata import version as installed_version

project = "zoopt-mo"
author = "The zoopt-mo authors"
copyright = "2026, the zoopt-mo authors"
release = version = installed_version("zoopt-mo")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
maximum_signature_line_length = 88
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Reference"]

# Links into other projects' pages would need their inventories from the network; names of types have no page.
type_names = (
    "Axes|DirectionSource|Executor|Floats|Function|Limits|Matrix|OptimizeResult|ParameterSource|Points|ScalarizeFunction|"
    "Tensor|Vector|Words"
)
nitpick_ignore_regex = [
    (r"py:.*", r"(abc|collections|concurrent|functools|gymnasium|np|npt|numpy|os|scipy|torch|typing)\..*"),
    (r"py:class", type_names),
    (r"py:class", r"zoopt_mo\.\w+\._\w+\.(BillLine|Entry|Outcome|Place|Sum|Term)"),
]

html_theme = "furo"
html_title = "zoopt-mo"
