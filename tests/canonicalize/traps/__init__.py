"""Small nets with traps, by family: FAMILIES[family][name]() makes (model, feeds)."""
from traps import bodies, duplicates, files, layers, layout, numbers, pads, versions  # noqa: F401 - they register their nets
from traps.trap import FAMILIES  # noqa: F401
