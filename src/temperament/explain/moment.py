"""What is kept of units while texts stream by: how a figure varies over topics, and how over tokens."""

from dataclasses import dataclass

import numpy as np

from temperament.activation.statistic import UnitStatistics
from temperament.stats.cluster import Numbers


@dataclass(frozen=True, eq=False)
class Moments:
    """How a figure of every unit varies over topics.

    Attributes:
        topics: that were counted.
        mean: [unit].
        squares: sums of squared deviations from the mean, [unit].
    """

    topics: int
    mean: Numbers
    squares: Numbers

    @property
    def deviation(self) -> Numbers:
        """The standard deviation, as an estimate from a sample; NaN for a single topic."""
        if self.topics < 2:
            return np.full_like(self.mean, np.nan)
        return np.sqrt(self.squares / (self.topics - 1))

    @property
    def size(self) -> Numbers:
        """The root mean square."""
        return np.sqrt(self.mean**2 + self.squares / max(1, self.topics))

    def __add__(self, other: "Moments") -> "Moments":
        topics = self.topics + other.topics
        share = other.topics / max(1, topics)
        apart = other.mean - self.mean
        return Moments(topics, self.mean + share * apart, self.squares + other.squares + self.topics * share * apart**2)


@dataclass(frozen=True, eq=False)
class TokenMoments:
    """How a figure of every unit varies over tokens.

    Attributes:
        tokens: that were counted.
        total: sum, [unit].
        squares: sum of squares, [unit].
    """

    tokens: int
    total: Numbers
    squares: Numbers

    @classmethod
    def of(cls, statistics: UnitStatistics) -> "TokenMoments":
        """Of activations."""
        return cls(statistics.tokens, statistics.total.numpy(), statistics.squares.numpy())

    @property
    def deviations(self) -> Numbers:
        """Sums of squared deviations from the mean, [unit]."""
        return np.maximum(0.0, self.squares - self.total**2 / self.tokens)

    def __add__(self, other: "TokenMoments") -> "TokenMoments":
        return TokenMoments(self.tokens + other.tokens, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True, eq=False)
class Seen:
    """Units over some topics; a topic counts as the mean of its texts, a text as the mean of its answer's positions.

    Attributes:
        before: activations in the untouched model.
        after: in the edited one.
        change: after less before.
        normalised: the same of activations divided, at each position, by the root mean square of their site.
    """

    before: Moments
    after: Moments
    change: Moments
    normalised: Moments

    @property
    def topics(self) -> int:
        """How many there are."""
        return self.change.topics

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.before + other.before,
            self.after + other.after,
            self.change + other.change,
            self.normalised + other.normalised,
        )
