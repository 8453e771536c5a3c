"""One self-contained page about a run, and two runs side by side."""

from temperament.report.comparison import Comparison, compare
from temperament.report.page import render

__all__ = ["Comparison", "compare", "render"]
