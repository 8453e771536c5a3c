"""Entropy: what is known of it, and what few emojis hide of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temperament.measure.diversity import bits, entropy


def test_bits_are_those_of_a_fair_coin_and_a_fair_die():
    assert bits({"a": 7, "b": 7}) == pytest.approx(1)
    assert bits(dict.fromkeys("abcdefgh", 3)) == pytest.approx(3)
    assert bits({"a": 9}) == 0
    assert bits({"a": 3, "b": 1}) == pytest.approx(0.811278, abs=1e-6)


def test_nothing_and_one_topic_alone_withhold_it():
    assert entropy([[], []], ["a", "b"]).value is None
    one = entropy([["x", "y"], ["x"], []], ["a", "a", "b"])
    assert one.value is None
    assert one.n == 3


def test_one_emoji_everywhere_has_no_entropy():
    found = entropy([["x"], ["x", "x"]], ["a", "b"])
    assert found.value == 0


def test_small_samples_lose_less_than_as_counted():
    """Uniform over 16: 4 bits. Thirty draws show fewer, and the correction gives most of it back."""
    random = np.random.default_rng(3)
    plain, corrected, covered = [], [], []
    for _ in range(60):
        items = [[str(one) for one in random.integers(16, size=3)] for _ in range(10)]
        found = entropy(items, [str(topic) for topic in range(10)])
        plain.append(bits(Counter(one for some in items for one in some)))
        corrected.append(found.value)
        covered.append(found.lower <= 4 <= found.upper)
    assert np.mean(plain) < 3.75
    assert abs(np.mean(corrected) - 4) < 0.1
    assert np.mean(covered) > 0.85


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(st.sampled_from("abcd"), max_size=5), st.sampled_from("tuv")), max_size=12))
def test_entropy_is_never_negative_and_does_not_depend_on_order(answers):
    items, topics = [one for one, _ in answers], [topic for _, topic in answers]
    found = entropy(items, topics)
    assert found.n == sum(map(len, items))
    turned = entropy(items[::-1], topics[::-1])
    if found.value is None:
        assert turned.value is None
    else:
        assert found.value >= 0
        assert turned.value == pytest.approx(found.value, abs=1e-9)
