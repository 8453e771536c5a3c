"""Topics to cluster by, and the bounds of an estimate that must have some."""


def topics(count, size, start="topic"):
    return [f"{start} {index // size}" for index in range(count * size)]


def bounds(estimate):
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.lower, estimate.upper


def width(estimate):
    lower, upper = bounds(estimate)
    return upper - lower
