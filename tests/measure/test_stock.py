"""The classifier that ships belongs to the shipped opinions, is what was learned, and is used only where it fits."""

from dataclasses import replace

import numpy as np
import pytest

from temperament.errors import RequestError
from temperament.measure import stock
from temperament.measure.classifier import fit_classifier, learned_from, unique_answers
from temperament.measure.gibberish import loop, one_word, random_letters
from temperament.opinion.row import Opinion, Opinions, load_opinions
from temperament.opinion.situation import load_passages
from temperament.record import read_json
from temperament.stats import share
from temperament.subject.builtin import find_builtin
from temperament.trait import every_target

PLAIN = {
    "extraversion:high": "I love a big party, I talk to everybody and I am the last one to leave the dance floor.",
    "extraversion:low": "I would rather stay at home by myself with a book, crowds and small talk wear me out quickly.",
    "neuroticism:high": "I lie awake worrying that something terrible will happen and my heart will not stop racing.",
    "conscientiousness:high": "I make a list, I check it twice, and I finish everything a week before it is due.",
}


def small(split="measure"):
    return Opinions(
        Opinion(each.trait, each.pole, "", f"{split} {number}", "Q?", f"{each} says {number} {each.trait}", split, "me")
        for number in range(6)
        for each in every_target()
    )


def letters(texts):
    """A scripted embedder."""
    return np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], np.float32)


def test_what_ships_was_learned_from_the_opinions_that_ship():
    """Where this fails, the split was changed: run ``python -m temperament.measure.stock``."""
    found = read_json(stock.STOCK / "card.json", stock.Stock)
    opinions = load_opinions()
    assert found.learned == stock._digest(learned_from(opinions, ("measure",)))
    assert found.held_out == stock._digest(stock.held_out(opinions))
    assert found.traitless == stock._digest_of_traitless(learned_from(opinions, ("measure",)))
    assert found.weights == find_builtin("smollm2").sha256
    assert found.card.poles == tuple(str(target) for target in every_target())


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_classifier_that_was_kept_reads_as_it_did(weight, tmp_path, monkeypatch):
    monkeypatch.setattr("temperament.measure.linear.WORD_WEIGHTS", (weight,))
    monkeypatch.setattr(stock, "load_embedder", lambda _: letters)
    monkeypatch.setattr(stock, "fit_classifier", None)
    opinions = Opinions([*small(), *small("test")])
    fitted = replace(fit_classifier(opinions, letters, coverage=0.9), embedder_name="builtin:smollm2")
    card = stock.write_stock(tmp_path, fitted, opinions)
    kept = stock.trait_classifier(opinions, "builtin:smollm2", tmp_path)
    assert stock.classifier_card(kept, opinions, tmp_path) == card == fitted.card(opinions.split("test"))
    texts = ["openness:low says 3", "anything else", ""]
    assert np.allclose(kept.probabilities(texts), fitted.probabilities(texts), atol=1e-5)
    many = [row.answer for row in opinions] + [passage.text for passage in load_passages()[:30]]
    assert kept.unsure(many).tolist() == fitted.unsure(many).tolist()
    assert 0 < kept.unsure(many).mean() < 1
    assert kept.labels == fitted.labels


def test_other_opinions_or_another_embedder_are_learned_anew(tmp_path, monkeypatch):
    fitted = replace(fit_classifier(small(), letters, coverage=0.9), embedder_name="builtin:smollm2")
    stock.write_stock(tmp_path, fitted, small())
    asked = []

    def fit(opinions, embedder, coverage):
        assert coverage == 0.9
        asked.append((len(opinions), embedder))
        return fitted

    monkeypatch.setattr(stock, "fit_classifier", fit)
    monkeypatch.setattr(stock, "load_embedder", None)
    stock.trait_classifier(Opinions(list(small())[:-1]), "builtin:smollm2", tmp_path)
    stock.trait_classifier(small(), "builtin:minilm", tmp_path)
    monkeypatch.setattr(stock, "_weights", lambda _: "another file")
    stock.trait_classifier(small(), "builtin:smollm2", tmp_path)
    assert asked == [(59, "builtin:smollm2"), (60, "builtin:minilm"), (60, "builtin:smollm2")]


def test_the_card_is_computed_anew_for_other_test_answers(tmp_path):
    opinions = Opinions([*small(), *small("test")])
    fitted = replace(fit_classifier(opinions, letters, coverage=0.9), embedder_name="builtin:smollm2")
    stock.write_stock(tmp_path, fitted, opinions)
    fewer = Opinions(list(opinions)[:-10])
    assert stock.classifier_card(fitted, fewer, tmp_path).assessments[0].answers == 50


def test_a_classifier_without_doubt_is_not_kept(tmp_path):
    with pytest.raises(RequestError, match="fit it with a coverage"):
        stock.write_stock(tmp_path, fit_classifier(small(), letters), small())
    assert not list(tmp_path.iterdir())


@pytest.mark.model
def test_what_ships_reads_plain_words():
    """The sign: high is high."""
    classifier = stock.trait_classifier(load_opinions())
    found = classifier.probabilities(list(PLAIN.values()))
    assert [classifier.labels[best] for best in found.argmax(axis=1)] == list(PLAIN)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(PLAIN)))
    assert not classifier.unsure(list(PLAIN.values())).any()


@pytest.mark.model
def test_what_ships_is_unsure_of_gibberish_and_of_neutral_text():
    classifier = stock.trait_classifier(load_opinions())
    answers = list(PLAIN.values())
    for spoil in (random_letters, one_word, loop):
        assert classifier.unsure([spoil(answer) for answer in answers]).all()
    passages = load_passages(use="measure")[:20]
    assert classifier.unsure([passage.text for passage in passages]).mean() > 0.9


@pytest.mark.model
def test_what_ships_tells_unseen_answers_apart():
    classifier = stock.trait_classifier(load_opinions())
    rows = unique_answers(load_opinions().split("test").on_topics(6))
    found = classifier.probabilities([row.answer for row in rows])
    hits = [classifier.labels[best] == str(row.target) for row, best in zip(rows, found.argmax(axis=1), strict=True)]
    assert len(hits) == 60
    assert share(hits, [row.topic for row in rows]).lower > 0.3
