"""Alpha, omega and convergence: against hand-computed figures, known factors and another implementation."""

import json

import numpy as np
import pytest

from temperament.errors import RequestError
from temperament.measure.inventory.card import CAUTION, card_of
from temperament.measure.inventory.convergence import convergence
from temperament.measure.inventory.inventory import Inventory
from temperament.measure.inventory.rating import Rating
from temperament.measure.inventory.reliability import (
    LEAST_RESPONDENTS,
    Respondent,
    alpha_of,
    loadings_of,
    omega_of,
    reliability,
)
from temperament.measure.inventory.statement import Statement
from temperament.record import to_json, write_text

LOADINGS = np.array([0.9, 0.7, 0.5])


def one_factor(loadings):
    return np.outer(loadings, loadings) + np.diag(1 - loadings**2)


def rated(item, score, keyed="plus", trait="openness"):
    """A rating that comes to a score of 1 to 5 after the key."""
    agreement = score if keyed == "plus" else 6 - score
    share = (agreement - 1) / 4
    return Rating(item, item, item, trait, keyed, "letters", "accurate-first", (1 - share, 0.0, 0.0, 0.0, share), 0.0)


def respondents(table, keys=None, groups=None):
    keys = keys or ["plus"] * table.shape[1]
    return [
        Respondent(
            f"cell-{place}",
            tuple(rated(f"i{item}", float(score), keys[item]) for item, score in enumerate(scores)),
            groups[place] if groups else "",
        )
        for place, scores in enumerate(table)
    ]


def drawn(loadings, count, seed=0):
    random = np.random.default_rng(seed)
    factor = random.standard_normal((count, 1))
    noise = random.standard_normal((count, len(loadings))) * np.sqrt(1 - np.square(loadings))
    return 3 + 0.25 * (factor * loadings + noise).clip(-7, 7)


def test_alpha_by_hand():
    assert alpha_of(np.array([[2.0, 1.0], [1.0, 2.0]])) == pytest.approx(2 / 3)
    assert alpha_of(np.array([[1.0, -0.5], [-0.5, 1.0]])) == pytest.approx(-2.0)
    # Scores 1 2 3 4, 2 2 3 5 and 2 1 4 4: variances 5/3, 2, 9/4; of the sum 5 5 10 13: 187/12.
    table = np.array([[1, 2, 2], [2, 2, 1], [3, 3, 4], [4, 5, 4]], dtype=float)
    wanted = 3 / 2 * (1 - (5 / 3 + 2 + 9 / 4) / (187 / 12))
    assert alpha_of(np.cov(table.T)) == pytest.approx(wanted)
    assert np.isnan(alpha_of(np.zeros((2, 2))))


def test_omega_by_hand_where_one_factor_is_exact():
    assert loadings_of(one_factor(LOADINGS)) == pytest.approx(LOADINGS, abs=1e-4)
    assert omega_of(one_factor(LOADINGS)) == pytest.approx(2.1**2 / (2.1**2 + 3 - 1.55), abs=1e-4)
    assert alpha_of(one_factor(LOADINGS)) < omega_of(one_factor(LOADINGS))


def test_an_item_that_is_turned_the_wrong_way_counts_against_both():
    turned = one_factor(LOADINGS * [1, 1, -1])
    assert omega_of(turned) == pytest.approx(1.1**2 / (1.1**2 + 3 - 1.55), abs=1e-4)
    assert loadings_of(turned).sum() > 0
    assert alpha_of(turned) < 0.2


def test_alpha_is_omega_where_items_load_alike():
    covariance = one_factor(np.full(4, 0.7))
    assert alpha_of(covariance) == pytest.approx(4 * 0.49 / (1 + 3 * 0.49))
    assert omega_of(covariance) == pytest.approx(alpha_of(covariance), abs=1e-5)
    found = reliability(respondents(drawn(np.full(6, 0.7), 400)), "openness")
    assert found.alpha.value == pytest.approx(6 * 0.49 / (1 + 5 * 0.49), abs=0.03)
    assert found.omega.value == pytest.approx(found.alpha.value, abs=0.005)


def test_omega_agrees_with_a_factor_analysis_by_maximum_likelihood():
    """Reference: scikit-learn's FactorAnalysis."""
    from sklearn.decomposition import FactorAnalysis

    table = drawn(np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), 3000)
    fitted = FactorAnalysis(n_components=1, tol=1e-6, max_iter=5000).fit(table)
    common = float(fitted.components_.sum() ** 2)
    wanted = common / (common + float(fitted.noise_variance_.sum()))
    assert omega_of(np.cov(table.T)) == pytest.approx(wanted, abs=0.005)


def test_no_item_explains_more_than_all_of_itself():
    table = np.array([[1.0, 0.95, 0.95], [0.95, 1.0, 0.3], [0.95, 0.3, 1.0]])
    loadings = loadings_of(table)
    assert loadings.max() == pytest.approx(1.0)
    assert float(omega_of(table)) <= 1.0
    assert np.isnan(omega_of(np.zeros((3, 3))))


def test_reverse_keys_are_turned_before_reliability():
    table = drawn(np.full(4, 0.8), 40)
    straight = reliability(respondents(table), "openness")
    turned = reliability(respondents(table, ["plus", "minus", "minus", "plus"]), "openness")
    assert straight.alpha.value > 0.8
    assert turned.alpha.value == pytest.approx(straight.alpha.value)
    assert turned.omega.value == pytest.approx(straight.omega.value, abs=1e-5)


def test_intervals_narrow_with_respondents_and_hold_the_value():
    few, many = (reliability(respondents(drawn(np.full(5, 0.7), count)), "openness") for count in (15, 150))
    for found, count in ((few, 15), (many, 150)):
        for estimate in (found.alpha, found.omega):
            assert estimate.lower < estimate.value < estimate.upper <= 1
            assert estimate.n == found.respondents == count
    assert few.alpha.upper - few.alpha.lower > 2 * (many.alpha.upper - many.alpha.lower)


def test_strengths_of_one_edit_are_resampled_together():
    table = np.repeat(drawn(np.full(5, 0.7), 12), 4, axis=0)
    groups = [f"edit-{place // 4}" for place in range(48)]
    apart = reliability(respondents(table), "openness")
    together = reliability(respondents(table, groups=groups), "openness")
    assert together.alpha.value == pytest.approx(apart.alpha.value)
    assert together.alpha.upper - together.alpha.lower > 1.5 * (apart.alpha.upper - apart.alpha.lower)
    assert reliability(respondents(table, groups=["one"] * 48), "openness").alpha.lower is None


def test_figures_are_withheld_with_few_respondents_without_variance_and_omega_with_few_more_than_items():
    table = drawn(np.full(12, 0.7), 40)
    few = reliability(respondents(table[: LEAST_RESPONDENTS - 1]), "openness")
    assert few.alpha.value is few.omega.value is None
    assert few.note == "withheld: 9 respondents answered, and 10 are needed."
    still = reliability(respondents(np.full((20, 4), 3.5)), "openness")
    assert (still.alpha.value, still.omega.value, still.alpha.n) == (None, None, 20)
    assert "the scores of 20 respondents do not vary" in still.note
    short = reliability(respondents(table[:12]), "openness")
    assert short.alpha.value > 0.5
    assert short.omega.value is None
    assert "12 respondents answered 12 statements" in short.note
    assert reliability(respondents(table[:13]), "openness").omega.value is not None
    assert reliability(respondents(table), "neuroticism").note.startswith("withheld: 0 respondents")


def test_a_respondent_without_answers_is_left_out_and_a_statement_that_some_refused():
    people = respondents(drawn(np.full(5, 0.7), 20))
    silent = Respondent("broken", tuple(rated(f"i{item}", 3.0) for item in range(5))[:1])
    people.append(silent)
    people[0] = Respondent("cell-0", people[0].ratings[1:])
    found = reliability(people, "openness")
    assert (found.respondents, found.items) == (20, 4)


X = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_correlations_by_hand():
    found = convergence([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0], "abcd", "openness")
    assert found.pearson.value == pytest.approx(0.8)
    assert found.spearman.value == pytest.approx(0.8)
    assert (found.pearson.n, found.note, found.trait) == (4, "", "openness")
    squared = convergence(X, [x**2 for x in X[:-1]] + [1.0], "abcdef")
    assert squared.spearman.value != pytest.approx(squared.pearson.value)


def test_correlations_agree_with_scipy_ties_included_and_have_the_right_sign():
    from scipy.stats import pearsonr, spearmanr

    random = np.random.default_rng(3)
    one = random.integers(1, 6, 20).astype(float).tolist()
    other = [-x + float(noise) for x, noise in zip(one, random.standard_normal(20), strict=True)]
    found = convergence(one, other, [str(place) for place in range(20)])
    assert found.pearson.value == pytest.approx(pearsonr(one, other).statistic)
    assert found.spearman.value == pytest.approx(spearmanr(one, other).statistic)
    assert found.pearson.value < 0
    for estimate in (found.pearson, found.spearman):
        assert -1 < estimate.lower < estimate.value < estimate.upper < 1


def test_correlations_are_withheld_with_few_cells_or_without_variance():
    assert "there are 3 cells, and 4 are needed" in convergence(X[:3], X[:3], "abc").note
    assert convergence(X[:3], X[:3], "abc").pearson.value is None
    still = convergence(X, [2.0] * 6, "abcdef")
    assert (still.pearson.value, still.spearman.n) == (None, 6)
    assert "does not vary" in still.note
    line = convergence(X, [2 * x for x in X], "abcdef")
    assert (line.pearson.value, line.pearson.lower) == (pytest.approx(1.0), None)


def test_strengths_of_one_edit_count_as_one_in_the_interval():
    random = np.random.default_rng(5)
    x = np.repeat(random.standard_normal(8), 4)
    y = np.repeat(random.standard_normal(8), 4) + x
    names = [str(place) for place in range(32)]
    groups = [f"edit-{place // 4}" for place in range(32)]
    apart, together = (convergence(x.tolist(), y.tolist(), names, groups=some) for some in (None, groups))
    for kind in ("pearson", "spearman"):
        alone, grouped = getattr(apart, kind), getattr(together, kind)
        assert grouped.value == alone.value
        assert grouped.upper - grouped.lower > 1.5 * (alone.upper - alone.lower)
    few = convergence(x.tolist(), y.tolist(), names, groups=["a", "b"] * 16)
    assert few.pearson.lower is None
    assert few.pearson.value == apart.pearson.value
    assert "from 2 edits" in few.note


@pytest.mark.parametrize(
    ("one", "other", "names", "match"),
    [
        (X, X[:5], "abcdef", "needs two scores, a name and a group"),
        (X, X, "abcdea", "cell 'a' occurs twice"),
        (X, [*X[:5], float("nan")], "abcdef", "cell 'f' has a score that is missing or not finite"),
    ],
)
def test_what_cannot_be_correlated_is_an_error(one, other, names, match):
    with pytest.raises(RequestError, match=match):
        convergence(one, other, names)


def test_a_card_says_how_far_to_trust_the_scores(tmp_path):
    table = drawn(np.full(4, 0.8), 12)
    people = respondents(table, ["plus", "minus", "plus", "plus"])
    keys = ("plus", "minus", "plus", "plus")
    statements = tuple(Statement(f"i{item}", "I hum.", "openness", "", key) for item, key in enumerate(keys))
    inventory = Inventory("four", statements, "Never tried.", ("letters",), ("accurate-first",))
    texts = {one.name: float(scores.mean()) * 2 for one, scores in zip(people[:8], table, strict=False)}
    card = card_of(inventory, people, {"openness": texts, "neuroticism": {}})
    assert (card.respondents, card.statements, card.note, card.caution) == (12, 4, "Never tried.", CAUTION)
    assert (card.balance[0].plus, card.balance[0].minus) == (3, 1)
    (trait,) = card.reliability
    assert (trait.trait, trait.respondents, trait.items) == ("openness", 12, 4)
    (same,) = card.convergence
    assert same.cells == tuple(one.name for one in people[:8])
    assert same.pearson.value == pytest.approx(1.0)
    assert card.raters[0].unanswered == 0
    assert card.raters[0].position_bias["letters"].value is None
    write_text(tmp_path / "findings" / "inventory.json", to_json(card))
    assert json.loads((tmp_path / "findings" / "inventory.json").read_text())["reliability"][0]["alpha"]["n"] == 12
