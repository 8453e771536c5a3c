"""Studies: plans of cells, run, resumed, scored."""
