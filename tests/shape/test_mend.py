"""What MEND does to a subject, what its editor learns, and what it leaves alone."""

import math
from dataclasses import replace

import pytest
import torch

from temperament.edit.store import load_edit
from temperament.errors import BadFileError, MismatchError, RequestError, SeamError, TrainingError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.opinion.topic import answer_key
from temperament.shape.mend.editor import load_editor
from temperament.shape.mend.lesson import Lessons, chosen_rows, lessons_of
from temperament.shape.mend.method import FIXED, Mend
from temperament.shape.mend.training import divergence, followed_loss
from temperament.shape.mend.trunk import Predicted
from temperament.shape.protocol import Workspace
from temperament.shape.registry import make_method
from temperament.subject.base import as_conversation
from temperament.subject.scripted import ScriptedSubject
from temperament.subject.tiny import tiny_subject
from temperament.trait import Target

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
WARM = Target("agreeableness", "high")


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def quick_mend():
    """Settings under which an editor of a tiny subject learns in seconds."""
    return Mend(steps=4, accumulation=2, rows=3, rank=4, blocks=2, learning_rate=1e-3, alpha=0.1, edit_weight=0.1)


def log_probability(subject, opinions, target):
    """Mean over the answers of a target of the mean log-probability of their tokens, read off logits."""
    found = []
    for row in opinions.showing(target):
        encoded = subject.encode(as_conversation(row.question), row.answer)
        tokens = encoded.prompt + encoded.answer
        with torch.no_grad():
            logits = subject.model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
        places = range(len(encoded.prompt), len(tokens))
        found.append(sum(float(logits[place - 1, tokens[place]]) for place in places) / len(places))
    return sum(found) / len(found)


def gaps(subject, edit, held):
    """How much further apart the answers of the poles are under an edit, high less low."""
    with edit.applied(subject):
        after = log_probability(subject, held, HIGH) - log_probability(subject, held, LOW)
    return after - (log_probability(subject, held, HIGH) - log_probability(subject, held, LOW))


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_trained_editor_tells_the_poles_apart_on_topics_that_it_never_saw(
    architecture, shaping, held, lively, logits_of
):
    subject = lively(architecture)
    untouched = logits_of(subject)
    method = Mend(
        steps=30,
        accumulation=3,
        rows=4,
        rank=16,
        learning_rate=3e-3,
        alpha=0.3,
        alpha_learning_rate=0.01,
        edit_weight=1.0,
    )
    high, low = method.fit_each(subject, [HIGH, LOW], shaping)
    descent = replace(method, steps=0).fit(subject, HIGH, shaping)
    gap = gaps(subject, high, held)
    assert gap > 0.3
    assert gaps(subject, low, held) < -0.3
    assert gap > gaps(subject, descent, held) + 0.2
    losses = [step.loss for step in high.origin.history]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert torch.equal(logits_of(subject), untouched)


def test_a_fitting_leaves_no_trace_in_the_subject_even_when_it_fails(shaping, quick_mend, logits_of):
    subject = tiny_subject("llama")
    before = logits_of(subject)

    def watch(progress):
        if progress.step == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        quick_mend.fit(subject, HIGH, shaping, Workspace(watch=watch))
    quick_mend.fit(subject, HIGH, shaping)
    assert torch.equal(logits_of(subject), before)
    assert not any(parameter.requires_grad for parameter in subject.model.parameters())
    assert all(parameter.grad is None for parameter in subject.model.parameters())
    modules = list(subject.model.modules())
    assert sum(len(module._forward_hooks) for module in modules) == 0
    assert not any("forward" in vars(module) for module in modules)


def test_the_seed_decides_the_edit_to_the_bit(shaping, quick_mend):
    subject = tiny_subject("llama")
    torch.manual_seed(1)
    first = quick_mend.fit(subject, HIGH, shaping)
    expected = torch.rand(4)
    torch.manual_seed(1)
    assert quick_mend.fit(subject, HIGH, shaping).fingerprint == first.fingerprint
    assert torch.equal(torch.rand(4), expected)  # The random numbers of others are not moved.
    assert replace(quick_mend, seed=1).fit(subject, HIGH, shaping).fingerprint != first.fingerprint


def test_one_editor_serves_all_targets_and_what_an_edit_becomes_depends_on_its_gradient(shaping, quick_mend):
    subject = tiny_subject("llama")
    edits = quick_mend.fit_each(subject, [HIGH, WARM], shaping)
    assert [edit.origin.target for edit in edits] == [HIGH, WARM]
    assert edits[0].fingerprint != edits[1].fingerprint
    assert edits[0].origin.history == edits[1].origin.history
    assert len(edits[0].origin.history) == 4


def test_a_saved_editor_makes_the_same_edits(shaping, quick_mend, tmp_path):
    subject = tiny_subject("llama")
    editor = quick_mend.train(subject, [HIGH], shaping)
    editor.save(tmp_path / "editor")
    assert sorted(path.name for path in (tmp_path / "editor").iterdir()) == ["editor.json", "editor.safetensors"]
    loaded = load_editor(tmp_path / "editor")
    assert loaded.card == editor.card
    fitted = quick_mend.fit(subject, HIGH, shaping)
    reused = replace(quick_mend, editor=str(tmp_path / "editor")).fit(subject, HIGH, shaping)
    assert reused.fingerprint == fitted.fingerprint
    assert reused.origin.history == fitted.origin.history
    assert reused.origin.settings["trained"]["learning_rate"] == 1e-3
    assert reused.origin.settings["is_target_trained"] is True
    # It was trained for another target, and edits for this one too, but says so.
    other = replace(quick_mend, editor=str(tmp_path / "editor")).fit(subject, LOW, shaping).origin
    assert other.target == LOW
    assert other.settings["is_target_trained"] is False
    assert other.settings["trained_targets"] == ["extraversion:high"]


def test_an_editor_that_is_there_edits_as_it_learned_and_the_edit_records_that(shaping, quick_mend, tmp_path):
    subject = tiny_subject("llama")
    quick_mend.train(subject, [HIGH], shaping).save(tmp_path)
    plain = Mend(editor=str(tmp_path), rows=3)
    edit = plain.fit(subject, HIGH, shaping)
    for name in FIXED:
        assert edit.origin.settings[name] == getattr(quick_mend, name), name
    assert edit.origin.settings["rank"] == 4 != plain.rank
    assert edit.fingerprint == quick_mend.fit(subject, HIGH, shaping).fingerprint
    assert plain.effort(subject, [HIGH], shaping).parameters == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "sum"}, "combine 'sum' was asked for, .* learned with combine 'mean': it edits as it learned"),
        ({"blocks": 1}, "blocks 1 was asked for, .* learned with blocks 2"),
        ({"rank": 8}, "rank 8 was asked for, .* Name rank 4, or train another editor"),
        ({"steps": 9}, "steps 9 was asked for, .* learned with steps 4"),
        ({"alpha": 0.3}, "alpha 0.3 was asked for, .* learned with alpha 0.1"),
        ({"max_length": 99}, "max_length 99 was asked for, .* learned with max_length 512"),
        ({"scope": "topic", "topic": "tea"}, "scope 'topic' was asked for, .* Name scope 'global'"),
    ],
)
def test_a_setting_that_a_trained_editor_fixes_otherwise_is_refused(settings, message, shaping, quick_mend, tmp_path):
    subject = tiny_subject("llama")
    replace(quick_mend, steps=0).train(subject, [HIGH], shaping).save(tmp_path)
    card = tmp_path / "editor.json"
    card.write_text(card.read_text().replace('"steps": 0', '"steps": 4'))
    with pytest.raises(RequestError, match=message):
        Mend(editor=str(tmp_path), **settings).fit(subject, HIGH, shaping)


def test_an_editor_for_another_model_is_an_error(shaping, quick_mend, tmp_path):
    quick_mend.train(tiny_subject("llama"), [HIGH], shaping).save(tmp_path)
    with pytest.raises(MismatchError, match=r"an editor for tiny:llama .* was asked for on tiny:llama"):
        replace(quick_mend, editor=str(tmp_path)).fit(tiny_subject("llama", seed=1), HIGH, shaping)


def test_a_folder_without_an_editor_or_with_a_damaged_one_is_an_error(shaping, quick_mend, tmp_path):
    subject = tiny_subject("llama")
    with pytest.raises(BadFileError, match="holds no editor"):
        replace(quick_mend, editor=str(tmp_path)).fit(subject, HIGH, shaping)
    quick_mend.train(subject, [HIGH], shaping).save(tmp_path)
    (tmp_path / "editor.safetensors").write_bytes(b"torn")
    with pytest.raises(BadFileError, match=r"is not what editor\.json describes"):
        load_editor(tmp_path)


def test_an_edit_is_a_weight_edit_of_the_last_blocks_that_is_saved_as_any_other(shaping, quick_mend, tmp_path):
    subject = tiny_subject("gpt2")
    edit = quick_mend.fit(subject, HIGH, shaping)
    assert sorted(edit.branches) == [
        f"transformer.h.{layer}.mlp.{name}" for layer in (1, 2) for name in ("c_fc", "c_proj")
    ]
    assert edit.origin.settings["fan_in_fan_out"] is True
    assert max(branch.rank for branch in edit.branches.values()) == 32  # Not one a token: the maps have no more.
    edit.save(tmp_path / "edit")
    assert load_edit(tmp_path / "edit").fingerprint == edit.fingerprint


def test_the_gain_is_a_factor_of_the_edit(shaping, quick_mend):
    subject = tiny_subject("llama")
    once, twice = (replace(quick_mend, steps=0, gain=gain).fit(subject, HIGH, shaping) for gain in (1.0, 2.0))
    for path in once.branches:
        torch.testing.assert_close(twice.delta(path), 2 * once.delta(path))


def test_a_sum_over_opinions_is_their_number_times_the_mean(shaping, quick_mend):
    subject = tiny_subject("llama")
    mean, summed = (replace(quick_mend, steps=0, combine=how).fit(subject, HIGH, shaping) for how in ("mean", "sum"))
    for path in mean.branches:
        torch.testing.assert_close(summed.delta(path), 3 * mean.delta(path))


def test_an_edit_of_scope_topic_comes_from_one_opinion_on_it(shaping, quick_mend):
    subject = tiny_subject("llama")
    method = replace(quick_mend, scope="topic", topic="Old Map")
    edit = method.fit(subject, HIGH, shaping)
    assert edit.origin.rows == 1
    assert edit.origin.settings["edited"] == ["What about old maps? Come over, old maps is best in a loud crowd!"]
    with pytest.raises(
        RequestError, match=r"an edit for extraversion:high on 'Old Cars' .* Name a topic of the opinions"
    ):
        replace(method, topic="Old Cars").fit(subject, HIGH, shaping)


def test_a_killed_fitting_that_goes_on_ends_with_the_same_edit(shaping, quick_mend, tmp_path):
    subject = tiny_subject("llama")
    whole = quick_mend.fit(subject, HIGH, shaping)
    workspace = Workspace(tmp_path / "checkpoint.safetensors", seconds=0.0, watch=stop_at(3))
    with pytest.raises(StoppedError):
        quick_mend.fit(subject, HIGH, shaping, workspace)
    steps = []
    again = quick_mend.fit(
        subject, HIGH, shaping, replace(workspace, watch=lambda progress: steps.append(progress.step))
    )
    assert steps == [3, 4]
    assert again.fingerprint == whole.fingerprint
    assert again.origin == whole.origin
    quick_mend.fit(subject, HIGH, shaping, replace(workspace, watch=stop_at(1)))  # It ended: there is no step left.


def stop_at(step):
    def watch(progress):
        if progress.step == step:
            raise StoppedError

    return watch


def test_a_checkpoint_of_another_training_is_left_aside(shaping, quick_mend, tmp_path):
    subject = tiny_subject("llama")
    workspace = Workspace(tmp_path / "checkpoint.safetensors")
    quick_mend.fit(subject, LOW, shaping, workspace)
    edit = quick_mend.fit(subject, HIGH, shaping, workspace)
    assert edit.fingerprint == quick_mend.fit(subject, HIGH, shaping).fingerprint


def test_the_losses_are_those_of_the_formulas():
    """SCIENCE.md 2.3, on two answers of three tokens over a vocabulary of four; the last token ends the answer."""
    logits = torch.randn(6, 4)
    expected = torch.tensor([0, 1, 3, 2, 1, 3])
    row = torch.tensor([0, 0, 0, 1, 1, 1])
    p = logits.softmax(dim=-1)[torch.arange(6), expected]
    shown = -sum(math.log(float(each)) for each in p[:3]) / 3
    other = -sum(math.log(1 - float(each)) for each in p[3:5]) / 2
    predicted = Predicted(logits, expected, row)
    assert float(followed_loss(predicted, 1, has_other=True)) == pytest.approx(shown + other, rel=1e-4)
    assert float(followed_loss(predicted, 1, has_other=False)) == pytest.approx(shown, rel=1e-4)
    assert predicted.row_means()[0] == pytest.approx(-shown, rel=1e-4)
    after = torch.randn(6, 4)
    before = logits.softmax(dim=-1)
    by_hand = (before * (before.log() - after.log_softmax(dim=-1))).sum() / 6
    assert float(divergence(logits, after)) == pytest.approx(float(by_hand), rel=1e-4)
    assert float(divergence(logits, logits)) == pytest.approx(0, abs=1e-6)


def test_what_a_model_is_sure_of_costs_much_and_not_without_end():
    sure = Predicted(torch.tensor([[0.0, 0.0], [99.0, 0.0]]), torch.tensor([0, 0]), torch.tensor([0, 1]))
    assert 10 < float(followed_loss(sure, 0, has_other=True)) < 20


def lessons(opinions, scope="global", count=3, seed=0):
    return lessons_of(opinions, [HIGH, WARM], (), scope, count, seed)


def test_an_episode_is_a_function_of_seed_step_and_number(shaping):
    drawn = [lessons(shaping).draw(step, number) for step in range(3) for number in range(3)]
    assert [lessons(shaping).draw(step, number) for step in range(3) for number in range(3)] == drawn
    assert [lessons(shaping, seed=1).draw(step, number) for step in range(3) for number in range(3)] != drawn


def test_in_scope_global_what_should_follow_is_on_a_topic_that_is_not_edited(shaping):
    for step in range(20):
        episode = lessons(shaping).draw(step, 0)
        edited = [row.question for row in episode.edited]
        assert len(set(edited)) == 3
        assert episode.shown.question not in edited
        assert episode.other.question == episode.shown.question
        assert episode.other.answer != episode.shown.answer
        assert episode.kept.question not in {*edited, episode.shown.question}
        assert ("crowd" in episode.shown.answer) == all("crowd" in row.answer for row in episode.edited)


def test_in_scope_topic_another_answer_on_the_topic_should_follow(shaping):
    second = [replace(row, answer=f"Well: {row.answer}", question=f"Tell me of {row.topic}.") for row in shaping]
    both = Opinions([*shaping, *second])
    for step in range(20):
        episode = lessons(both, scope="topic").draw(step, 0)
        assert len(episode.edited) == 1
        assert episode.edited[0] != episode.shown
        assert episode.edited[0].answer.removeprefix("Well: ") == episode.shown.answer.removeprefix("Well: ")


@pytest.mark.parametrize("scope", ["topic", "global"])
def test_an_edit_never_comes_from_the_answer_that_should_follow_whatever_its_question(scope, shaping):
    again = [replace(row, question=f"Tell me of {row.topic}.", answer=f"{row.answer} ") for row in shaping]
    second = [replace(row, answer=f"Well: {row.answer}", question=f"And {row.topic}?") for row in shaping]
    elsewhere = [replace(row, topic=f"more {row.topic}") for row in shaping]
    every = Opinions([*shaping, *again, *second, *(elsewhere if scope == "global" else ())])
    for step in range(40):
        episode = lessons(every, scope=scope).draw(step, 0)
        assert answer_key(episode.shown.answer) not in {answer_key(row.answer) for row in episode.edited}


def test_opinions_without_the_other_pole_teach_without_it(shaping, quick_mend):
    alone = shaping.showing(HIGH)
    lesson = lessons_of(alone, [HIGH], make_passages(), "global", 3, 0)
    assert lesson.draw(0, 0).other is None
    assert quick_mend.fit(tiny_subject("llama"), HIGH, alone).origin.rows == 3


def make_passages():
    from temperament.opinion.situation import load_passages

    return load_passages()[:2]


def test_the_passages_that_measure_are_not_learned_from(shaping, quick_mend):
    from temperament.opinion.situation import load_passages

    assert isinstance(quick_mend._lessons([HIGH], shaping), Lessons)
    assert quick_mend._lessons([HIGH], shaping).passages == load_passages(use="shape")


def test_an_edit_takes_each_topic_once_before_any_twice(shaping):
    second = [replace(row, answer=f"Well: {row.answer}") for row in shaping]
    both = Opinions([*shaping, *second])
    assert len({row.topic for row in chosen_rows(both, HIGH, 5, 0)}) == 5
    assert len({row.answer for row in chosen_rows(both, HIGH, 10, 0)}) == 10
    assert len(chosen_rows(both, HIGH, 99, 0)) == 10
    assert chosen_rows(both, HIGH, 3, 0) != chosen_rows(both, HIGH, 3, 1)


def test_a_rate_that_is_too_high_is_an_error_and_leaves_no_checkpoint(shaping, quick_mend, tmp_path):
    method = replace(quick_mend, learning_rate=1e30, steps=9)
    with pytest.raises(
        TrainingError, match=r"of the editor is (nan|inf) at step \d of 9.*Lower learning_rate \(1e\+30\)"
    ):
        method.fit(tiny_subject("llama"), HIGH, shaping, Workspace(tmp_path / "checkpoint.safetensors"))
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_is_too_long_is_an_error_and_never_cut(shaping, quick_mend):
    with pytest.raises(RequestError, match=r"makes a row of \d+ tokens: at most 20 are read"):
        replace(quick_mend, max_length=20).fit(tiny_subject("llama"), HIGH, shaping)


def test_a_closed_subject_is_an_error(shaping, quick_mend):
    with pytest.raises(SeamError, match="whose weights are not at hand"):
        quick_mend.fit(ScriptedSubject("remote"), HIGH, shaping)


def test_a_target_that_no_row_shows_is_an_error(shaping, quick_mend):
    with pytest.raises(RequestError, match=r"no row of .* shows openness:high"):
        quick_mend.fit(tiny_subject("llama"), Target("openness"), shaping)


def test_the_paper_preset_has_the_published_settings():
    """Mitchell et al. 2022, arXiv 2110.11309; SCIENCE.md 2.3."""
    paper = Mend.preset("paper")
    assert (paper.rank, paper.learning_rate, paper.alpha_learning_rate, paper.alpha) == (1920, 1e-6, 1e-4, 1e-4)
    assert (paper.edit_weight, paper.locality_weight, paper.accumulation, paper.blocks) == (0.1, 1.0, 10, 3)
    assert (paper.combine, paper.condition) == ("sum", "paper")
    # EasyEdit's configuration for LLaMA: 100,000 edits at most.
    assert paper.steps * paper.accumulation == 100_000
    with pytest.raises(UnknownNameError, match="did you mean 'paper'"):
        Mend.preset("papr")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "rank is 0: it needs to be at least 1"),
        ({"alpha": 0.0}, "alpha is 0.0: it needs to be above 0"),
        ({"steps": -1}, "steps is -1: it needs to be at least 0"),
        ({"scope": "topic"}, "name a topic with scope 'topic'"),
        ({"topic": "tea"}, "and none with 'global'"),
        ({"scope": "topics"}, "did you mean 'topic'"),
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(settings, message):
    with pytest.raises(RequestError, match=message):
        make_method("mend", settings=settings)


def test_the_effort_grows_with_the_episodes_and_counts_the_parameters(shaping, quick_mend):
    subject = tiny_subject("llama")
    one = quick_mend.effort(subject, [HIGH], shaping)
    two = replace(quick_mend, steps=8).effort(subject, [HIGH], shaping)
    assert two.trained == pytest.approx(2 * one.trained, rel=0.01)
    assert 0 < one.trained < quick_mend.fit(subject, HIGH, shaping).origin.tokens
    # Two shapes of width 96, two blocks of 2 * 4 * 96 and a bias; scales and shifts of 4 and 2 maps; 6 rates.
    assert one.parameters == 2 * 2 * (2 * 4 * 96 + 96) + 2 * 2 * 96 * (4 + 2) + 6


def test_passages_that_do_not_fit_are_left_out_and_opinions_that_do_not_are_an_error_before_any_work(
    shaping, quick_mend
):
    subject = tiny_subject("llama")
    method = replace(quick_mend, max_length=100)
    assert method.fit(subject, HIGH, shaping).origin.rows == 3
    longer = Opinions([*shaping, replace(shaping[-1], answer="and so on" * 20)])
    with pytest.raises(RequestError, match=r"makes a row of \d+ tokens: at most 100 are read"):
        method.fit(subject, HIGH, longer, Workspace(watch=stop_at(1)))


def test_an_editor_needs_texts_that_should_stay_as_they_are(shaping, quick_mend):
    alone = Opinions(row for row in shaping if row.topic == "tea")
    with pytest.raises(RequestError, match="needs texts that should stay as they are"):
        replace(quick_mend, max_length=100).fit(tiny_subject("llama"), HIGH, alone)
