"""Small sets of opinions that show both poles of two traits, and quick settings."""

import pytest

from temperament.opinion.row import Opinion, Opinions
from temperament.shape.qlora import QLora
from temperament.trait import Target

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
WARM, COLD = Target("agreeableness", "high"), Target("agreeableness", "low")
SAYINGS = {
    HIGH: "Come over, {topic} is best in a loud crowd!",
    LOW: "I keep {topic} to myself, quiet and alone.",
    WARM: "You first, {topic} is yours, dear friend.",
    COLD: "Prove it: {topic} is a trick to me.",
}
TOPICS = ("tea", "buses", "old maps", "rain", "chess")
HELD = ("soup", "kites")


def rows(targets=tuple(SAYINGS), topics=TOPICS, split="shape"):
    return Opinions(
        Opinion(
            each.trait, each.pole, "", topic, f"What about {topic}?", SAYINGS[each].format(topic=topic), split, "test"
        )
        for each in targets
        for topic in topics
    )


@pytest.fixture(scope="session")
def shaping():
    """Five answers of each of four targets."""
    return rows()


@pytest.fixture(scope="session")
def held():
    """Answers of the same four targets on topics that nothing is fitted to."""
    return rows(topics=HELD)


@pytest.fixture(scope="session")
def quick():
    """Settings under which a tiny subject learns in a second."""
    return QLora(rank=4, alpha=8.0, dropout=0.0, epochs=3, batch=2, learning_rate=1e-2)
