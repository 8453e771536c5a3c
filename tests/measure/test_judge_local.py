"""Judging by the probabilities of the next token."""

from contextlib import contextmanager

import pytest
import torch

from temperament.errors import RequestError
from temperament.measure.judge.cache import Cache
from temperament.measure.judge.judging import JudgedText, Judging, cost_of
from temperament.measure.judge.load import load_judge
from temperament.measure.judge.local import LocalJudge
from temperament.measure.judge.plan import JudgePlan
from temperament.measure.judge.scale import DIRECTIONS, Scale
from temperament.record import Label
from temperament.subject.base import as_conversation
from temperament.subject.open import OpenSubject
from temperament.subject.scripted import ScriptedSubject
from temperament.subject.tiny import save_tiny, tiny_subject

SCALE = Scale("extraversion")
TEXTS = tuple(JudgedText("reply", f"i{n}", f"t{n}", "Why?", "I like it. " * (n + 1)) for n in range(5))


def wide(architecture="llama"):
    """A tiny subject that can read a whole request, a byte a token."""
    subject = tiny_subject(architecture)
    subject.model.config.max_position_embeddings = 4096
    for parameter in subject.model.parameters():
        if parameter.ndim == 2:
            parameter.data.mul_(8)
    return OpenSubject.of(subject.model, subject.tokenizer, subject.name)


@pytest.fixture(scope="module")
def subject():
    return wide()


@contextmanager
def leaning_to(subject, *texts, lift=1000.0):
    """The model nearly always goes on with one of these tokens."""

    def lean(module, inputs, output):
        output = output.clone()
        for text in texts:
            output[..., subject.tokenizer(text)["input_ids"][0]] += lift
        return output

    handle = subject.model.get_output_embeddings().register_forward_hook(lean)
    try:
        yield
    finally:
        handle.remove()


def expected(subject, prompt):
    """The expected value, computed from plain logits, and the probability of all that is no digit."""
    tokens = subject.format.tokens(subject.format.render(as_conversation(prompt.text)))
    with torch.no_grad():
        logits = subject.model(torch.tensor([tokens])).logits[0, -1].double()
    digits = [subject.tokenizer(str(step))["input_ids"][0] for step in range(1, 6)]
    chances = logits.softmax(0)[digits]
    return float((chances * torch.arange(1, 6)).sum() / chances.sum()), float(1 - chances.sum())


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_a_rating_is_the_expected_value_over_the_digits(architecture):
    subject = wide(architecture)
    prompts = [SCALE.prompt(text.question, text.text, way) for way in DIRECTIONS for text in TEXTS]
    verdicts = LocalJudge(subject).verdicts(prompts)
    for prompt, verdict in zip(prompts, verdicts, strict=True):
        value, outside = expected(subject, prompt)
        assert verdict.value == pytest.approx(value, abs=1e-4)
        assert verdict.outside == pytest.approx(outside, abs=1e-4)
        assert sum(verdict.probabilities) == pytest.approx(1, abs=1e-5)
    assert len({verdict.value for verdict in verdicts}) == len(verdicts)


def test_what_shares_a_batch_or_a_prefix_does_not_move_a_rating(subject):
    prompts = [SCALE.prompt(text.question, text.text) for text in TEXTS]
    together = LocalJudge(subject).verdicts(prompts)
    alone = [LocalJudge(subject).verdicts([prompt])[0] for prompt in prompts]
    assert [one.value for one in together] == pytest.approx([one.value for one in alone], abs=1e-4)


def test_a_model_that_says_5_rates_high_upwards_and_low_downwards(subject):
    with leaning_to(subject, "5"):
        rows = Judging(TEXTS, (SCALE,)).administer(LocalJudge(subject))
    assert {row.direction: row.rating for row in rows} == {"up": pytest.approx(5), "down": pytest.approx(1)}
    assert max(row.outside for row in rows) < 1e-6


def test_a_model_between_2_and_3_is_read_between_them(subject):
    with leaning_to(subject, "2", "3"):
        rows = Judging(TEXTS[:1], (SCALE,), DIRECTIONS[:1]).administer(LocalJudge(subject))
    assert 2 < rows[0].rating < 3


@pytest.mark.parametrize("lift", [20.0, 1000.0])
def test_what_is_no_digit_is_kept_beside_the_rating(subject, lift):
    plain = Judging(TEXTS[:1], (SCALE,), DIRECTIONS[:1]).administer(LocalJudge(subject))
    with leaning_to(subject, "T", lift=lift):
        rows = Judging(TEXTS[:1], (SCALE,), DIRECTIONS[:1]).administer(LocalJudge(subject))
    assert rows[0].outside == pytest.approx(1, abs=1e-3)
    assert rows[0].rating == pytest.approx(plain[0].rating, abs=1e-4)


def test_a_model_whose_numbers_broke_gives_no_rating():
    subject = wide()
    subject.model.get_output_embeddings().weight.data.fill_(float("nan"))
    rows = Judging(TEXTS[:2], (SCALE,)).administer(LocalJudge(subject))
    assert {(row.rating, row.reason) for row in rows} == {(None, "broken")}


def test_a_text_that_does_not_fit_has_a_reason_and_the_others_a_rating(subject):
    long = JudgedText("reply", "long", "t", "Why?", "word " * 1000)
    rows = Judging((*TEXTS, long), (SCALE,), DIRECTIONS[:1]).administer(LocalJudge(subject))
    assert [row.reason for row in rows] == [""] * 5 + ["too_long"]
    assert "4096" not in rows[-1].detail
    assert cost_of(rows).calls == 5


def test_a_local_judge_keeps_what_it_read(subject, tmp_path, monkeypatch):
    cache = Cache(tmp_path / "judge.sqlite")
    first = Judging(TEXTS, (SCALE,)).administer(LocalJudge(subject, cache))
    monkeypatch.setattr(LocalJudge, "_read", None)
    again = Judging(TEXTS, (SCALE,)).administer(LocalJudge(subject, cache))
    assert [row.rating for row in again] == [row.rating for row in first]
    assert cost_of(first).prompt_tokens > 0
    assert cost_of(again).tokens == 0


def test_a_model_under_an_edit_is_no_judge(subject):
    label = Label(method="prompt", trait="openness", pole="high", strength=1.0)
    with subject.labelled(label), pytest.raises(RequestError, match="under the edit 'prompt'"):
        Judging(TEXTS, (SCALE,)).administer(LocalJudge(subject))


def test_judging_leaves_no_trace(subject, logits_of):
    before = logits_of(subject)
    Judging(TEXTS, (SCALE,)).administer(LocalJudge(subject))
    assert torch.equal(before, logits_of(subject))


def test_a_folder_is_a_judge_and_a_subject_at_hand_serves(tmp_path, subject):
    folder = save_tiny(tmp_path / "model")
    plan = JudgePlan(model=str(folder))
    assert load_judge(plan, tmp_path / "c.sqlite").kind == "local"
    here = JudgePlan(model=subject.name)
    assert load_judge(here, tmp_path / "c.sqlite", subject).fingerprint == subject.fingerprint


def test_what_can_be_neither_asked_nor_read_is_no_judge(tmp_path):
    with pytest.raises(RequestError, match="none is named"):
        load_judge(JudgePlan(), tmp_path / "c.sqlite")
    with pytest.raises(RequestError, match="cannot judge"):
        load_judge(JudgePlan(model="scripted"), tmp_path / "c.sqlite", ScriptedSubject("4"))
