"""What QLoRA does to a subject, and what it leaves alone."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from temperament.edit.store import load_edit
from temperament.errors import RequestError, SeamError, TrainingError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.shape.protocol import Workspace
from temperament.shape.qlora import QLora
from temperament.shape.registry import make_method
from temperament.subject.scripted import ScriptedSubject
from temperament.subject.tiny import tiny_subject
from temperament.trait import Target

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
WARM = Target("agreeableness", "high")


class StoppedError(Exception):
    pass


def hand_loss(subject, tokens, learned, unlearned=None):
    """Mean of -log p over the last ``learned`` tokens but one that is never learned, from logits."""
    with torch.no_grad():
        logits = subject.model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
    places = [place for place in range(len(tokens) - learned, len(tokens)) if tokens[place] != unlearned]
    each = [-float(logits[place - 1, tokens[place]]) for place in places]
    return sum(each) / len(each)


def log_probability(subject, opinions, target):
    """Mean over the answers of a target of the mean log-probability of their tokens, read off logits."""
    losses = []
    for row in opinions.showing(target):
        encoded = subject.encode(({"role": "user", "content": row.question},), row.answer)
        losses.append(hand_loss(subject, [*encoded.prompt, *encoded.answer], len(encoded.answer)))
    return -sum(losses) / len(losses)


def hooks(subject):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in subject.model.modules())


def same(first, second, tolerance=1e-5):
    assert first.branches.keys() == second.branches.keys()
    for path, branch in first.branches.items():
        torch.testing.assert_close(branch.down, second.branches[path].down, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(branch.up, second.branches[path].up, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "phi3", "gemma2"])
def test_held_answers_of_the_target_become_likelier_and_more_so_than_those_of_the_other_pole(
    architecture, shaping, held, quick, lively, logits_of
):
    subject = lively(architecture)
    untouched = logits_of(subject)
    before = {pole: log_probability(subject, held, pole) for pole in (HIGH, LOW)}
    edit = replace(quick, epochs=6, batch=5).fit(subject, HIGH, shaping)
    with edit.applied(subject):
        gain = {pole: log_probability(subject, held, pole) - before[pole] for pole in (HIGH, LOW)}
    assert gain[HIGH] > 0.3
    assert gain[HIGH] > gain[LOW] + 0.05
    with (-1.0 * edit).applied(subject):
        assert log_probability(subject, held, HIGH) < before[HIGH]
    losses = [step.loss for step in edit.origin.history]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.3
    assert torch.equal(logits_of(subject), untouched)


def test_a_fitting_leaves_no_trace_in_the_subject(shaping, quick, logits_of):
    subject = tiny_subject("llama")
    before = logits_of(subject)
    quick.fit(subject, HIGH, shaping)
    assert torch.equal(logits_of(subject), before)
    assert hooks(subject) == 0
    assert not subject.model.training
    assert not any(parameter.requires_grad for parameter in subject.model.parameters())
    assert all(parameter.grad is None for parameter in subject.model.parameters())


def test_a_fitting_that_fails_leaves_no_trace_in_the_subject(shaping, quick, logits_of):
    subject = tiny_subject("llama")
    before = logits_of(subject)

    def watch(progress):
        if progress.step == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        quick.fit(subject, HIGH, shaping, Workspace(watch=watch))
    assert torch.equal(logits_of(subject), before)
    assert hooks(subject) == 0


def test_the_seed_decides_the_edit_to_the_bit(shaping, quick):
    subject = tiny_subject("llama")
    method = replace(quick, dropout=0.1)
    torch.manual_seed(1)
    first = method.fit(subject, HIGH, shaping)
    torch.manual_seed(2)
    assert method.fit(subject, HIGH, shaping).fingerprint == first.fingerprint
    assert replace(method, seed=1).fit(subject, HIGH, shaping).fingerprint != first.fingerprint


def test_a_fitting_does_not_move_the_random_numbers_of_others(shaping, quick):
    subject = tiny_subject("llama")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    replace(quick, dropout=0.1, epochs=1).fit(subject, HIGH, shaping)
    assert torch.equal(torch.rand(4), expected)


def test_targets_that_are_fitted_together_become_what_they_become_alone(shaping, quick):
    subject = tiny_subject("llama")
    together = quick.fit_each(subject, [HIGH, WARM, LOW], shaping)
    assert [edit.origin.target for edit in together] == [HIGH, WARM, LOW]
    for edit in together:
        same(edit, quick.fit(subject, edit.origin.target, shaping))
    assert len({edit.fingerprint for edit in together}) == 3


def test_targets_with_different_numbers_of_rows_come_back_in_the_order_asked_for(shaping, quick, tmp_path):
    subject = tiny_subject("llama")
    fewer = Opinions(row for row in shaping if row.target != HIGH or row.topic != "tea")
    workspace = Workspace(tmp_path / "checkpoint.safetensors")
    together = quick.fit_each(subject, [WARM, HIGH, LOW], fewer, workspace)
    assert [(edit.origin.target, edit.origin.rows) for edit in together] == [(WARM, 5), (HIGH, 4), (LOW, 5)]
    same(together[1], quick.fit(subject, HIGH, fewer))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-4.safetensors",
        "checkpoint-5.safetensors",
    ]


def test_a_target_that_is_named_twice_is_fitted_once(shaping, quick):
    first, second = replace(quick, epochs=1).fit_each(tiny_subject("llama"), [HIGH, HIGH], shaping)
    assert first.fingerprint == second.fingerprint


def test_rows_of_other_targets_change_nothing(shaping, quick):
    subject = tiny_subject("llama")
    alone = quick.fit(subject, HIGH, shaping.showing(HIGH))
    assert quick.fit(subject, HIGH, shaping).fingerprint == alone.fingerprint


def test_every_default_is_the_published_one():
    """Jain et al. 2025, arXiv 2409.10245, appendix; SCIENCE.md 1.2."""
    published = {
        "rank": 64,
        "alpha": 16.0,
        "dropout": 0.1,
        "learning_rate": 2e-4,
        "epochs": 2,
        "batch": 8,
        "warmup": 0.03,
        "weight_decay": 0.001,
        "clip": 0.3,
        "max_length": 512,
    }
    for preset in ("default", "paper"):
        settings = asdict(QLora.preset(preset))
        assert {name: settings[name] for name in published} == published
        assert settings["modules"] == ()


@pytest.mark.parametrize(
    ("preset", "differs"),
    [
        ("default", {}),
        ("paper", {"loss": "sequence", "has_stop_token": False}),
        ("unstopped", {"has_stop_token": False}),
        ("stabilised", {"is_stabilised": True}),
        ("neutral", {"control": "neutral"}),
        ("shuffled", {"control": "shuffled"}),
    ],
)
def test_a_preset_differs_from_the_default_in_what_it_says_and_is_named_in_records(preset, differs):
    assert QLora.preset(preset) == QLora(**differs, condition=preset)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
def test_a_stabilised_adapter_has_the_effect_in_peft_that_it_has_here(shaping, quick, tmp_path, logits_of):
    """PEFT reads the files alone; a wrong scale would be one of sqrt(rank), 2 here."""
    from peft import PeftModel

    subject = tiny_subject("llama")
    edit = replace(quick, is_stabilised=True).fit(subject, HIGH, shaping)
    assert edit.scale == pytest.approx(quick.alpha / 2.0)
    assert quick.fit(subject, HIGH, shaping).scale == pytest.approx(quick.alpha / 4.0)
    before = logits_of(subject)
    with edit.applied(subject):
        expected = logits_of(subject)
    edit.save(tmp_path / "edit")
    config = json.loads((tmp_path / "edit" / "adapter_config.json").read_text())
    assert config["lora_alpha"] / (config["r"] ** 0.5 if config["use_rslora"] else config["r"]) == edit.scale
    other = tiny_subject("llama")
    other.model = PeftModel.from_pretrained(other.model, tmp_path / "edit").eval()
    torch.testing.assert_close(logits_of(other), expected, rtol=1e-4, atol=1e-5)
    assert float((expected - before).abs().max()) > 0.05


def test_a_control_keeps_its_target_and_says_that_it_is_one(shaping, quick, tmp_path):
    subject = tiny_subject("llama")
    prints = {quick.fit(subject, HIGH, shaping).fingerprint}
    for control in ("neutral", "shuffled"):
        method = replace(quick, epochs=1, control=control, max_length=500)
        edit = method.fit(subject, HIGH, shaping)
        assert (edit.origin.target, edit.origin.rows) == (HIGH, 5)
        assert edit.origin.settings["control"] == control
        assert edit.origin.tokens == method.effort(subject, [HIGH], shaping).trained
        edit.save(tmp_path / control)
        assert load_edit(tmp_path / control).origin == edit.origin
        prints.add(edit.fingerprint)
    assert len(prints) == 3


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_presets_learn_what_they_say(preset, shaping, lively):
    """The first loss is that of the untouched model, so it shows which tokens are learned."""
    subject = lively("llama")
    expected = []
    for row in shaping.showing(HIGH):
        prompt = subject.format.tokens(subject.format.render(({"role": "user", "content": row.question},)))
        answer = subject.tokenizer(row.answer, add_special_tokens=False)["input_ids"]
        stop = [subject.tokenizer.eos_token_id]
        if preset == "default":
            expected.append(hand_loss(subject, [*prompt, *answer, *stop], len(answer) + 1))
        else:
            assert stop[0] in prompt  # The template ends the user's turn by it, and that is not learned either.
            expected.append(hand_loss(subject, [*prompt, *answer], len(prompt) + len(answer) - 1, stop[0]))
    method = replace(QLora.preset(preset), rank=2, epochs=1, dropout=0.0)
    edit = method.fit(subject, HIGH, shaping)
    assert edit.origin.history[0].loss == pytest.approx(sum(expected) / len(expected), rel=1e-4)
    assert edit.origin.condition == preset


def test_a_model_learns_to_stop_only_where_the_stop_token_is_learned(shaping, quick, lively):
    subject = lively("llama")
    stop = subject.tokenizer.eos_token_id

    def stop_probability():
        row = shaping.showing(HIGH)[0]
        encoded = subject.encode(({"role": "user", "content": row.question},), row.answer)
        with torch.no_grad():
            logits = subject.model(input_ids=torch.tensor([encoded.prompt + encoded.answer[:-1]])).logits
        return float(logits[0, -1].softmax(dim=-1)[stop])

    before = stop_probability()
    learned = {}
    for has_stop_token in (True, False):
        method = replace(quick, epochs=6, has_stop_token=has_stop_token)
        with method.fit(subject, HIGH, shaping).applied(subject):
            learned[has_stop_token] = stop_probability()
    assert learned[True] > 3 * before
    assert learned[False] < before


def test_micro_batches_change_nothing(shaping, quick):
    subject = tiny_subject("llama")
    method = replace(quick, batch=5, epochs=3)
    one_row = replace(method, micro_tokens=1).fit(subject, HIGH, shaping)
    everything = replace(method, micro_tokens=10**6).fit(subject, HIGH, shaping)
    same(one_row, everything)


def test_modules_are_adapted_by_name(shaping, quick):
    edit = replace(quick, modules=("q_proj", "down_proj"), epochs=1).fit(tiny_subject("llama"), HIGH, shaping)
    assert {path.rpartition(".")[2] for path in edit.branches} == {"q_proj", "down_proj"}
    assert len(edit.branches) == 6


def test_the_origin_says_how_the_edit_came_about(shaping, quick, tmp_path):
    subject = tiny_subject("llama")
    edit = quick.fit(subject, HIGH, shaping)
    origin = edit.origin
    assert (origin.method, origin.target, origin.rows) == ("qlora", HIGH, 5)
    assert origin.subject_fingerprint == subject.fingerprint
    effort = quick.effort(subject, [HIGH], shaping)
    assert origin.tokens == effort.trained
    assert effort.parameters == sum(branch.down.numel() + branch.up.numel() for branch in edit.branches.values())
    edit.save(tmp_path / "edit")
    loaded = load_edit(tmp_path / "edit")
    assert loaded.fingerprint == edit.fingerprint
    assert loaded.origin == origin


def test_a_loss_that_is_not_finite_is_an_error_and_nothing_is_saved(shaping, quick, logits_of, tmp_path):
    subject = tiny_subject("llama")
    before = logits_of(subject)
    with pytest.raises(TrainingError, match=r"is (nan|inf) at step \d of 9.*Lower the learning rate \(1e\+30\)"):
        replace(quick, learning_rate=1e30).fit(subject, HIGH, shaping, Workspace(tmp_path / "checkpoint.safetensors"))
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(logits_of(subject), before)


def test_a_gradient_that_is_not_finite_is_an_error(shaping, quick, monkeypatch):
    monkeypatch.setattr("temperament.shape.training.Adapters.clip", lambda _adapters, _limit: [float("inf")])
    with pytest.raises(TrainingError, match="gradient of adapter 0 is inf at step 1 of 9"):
        quick.fit(tiny_subject("llama"), HIGH, shaping)


def test_a_target_that_no_row_shows_is_an_error(shaping, quick):
    with pytest.raises(RequestError, match=r"no row of .* shows openness:high: give opinions that do"):
        quick.fit(tiny_subject("llama"), Target("openness"), shaping)
    with pytest.raises(RequestError, match="split 'test' shows extraversion:high"):
        quick.fit(tiny_subject("llama"), HIGH, shaping.split("test"))


@pytest.mark.parametrize("limit", [20, 5000])
def test_a_row_that_is_too_long_is_an_error_and_never_cut(limit, shaping, quick):
    subject = tiny_subject("llama")
    longer = Opinions(replace(row, answer=row.answer * (20 if limit > 512 else 1)) for row in shaping)
    with pytest.raises(RequestError, match=rf"makes a row of \d+ tokens: at most {min(limit, 512)} are read"):
        replace(quick, max_length=limit).fit(subject, HIGH, longer)


def test_a_closed_subject_is_an_error(shaping, quick):
    with pytest.raises(SeamError, match="whose weights are not at hand"):
        quick.fit(ScriptedSubject("remote"), HIGH, shaping)


def test_a_module_that_the_model_lacks_is_an_error_that_names_those_it_has(shaping, quick):
    with pytest.raises(SeamError, match=r"module 'qproj' was to be adapted: tiny:llama has down_proj, .*q_proj"):
        replace(quick, modules=("qproj",)).fit(tiny_subject("llama"), HIGH, shaping)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("rank", 0), ("epochs", 0), ("batch", -1), ("dropout", 1.0), ("learning_rate", 0.0), ("clip", 0.0), ("warmup", 2)],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(setting, value):
    with pytest.raises(RequestError, match=f"{setting} is {value}.*: it needs to be"):
        make_method("qlora", settings={setting: value})


def test_a_method_is_made_by_name_preset_and_settings():
    method = make_method("qlora", "paper", {"rank": 8}, seed=3)
    assert (method.rank, method.loss, method.seed, method.condition) == (8, "sequence", 3, "paper, changed")
    assert make_method("qlora", "paper").condition == "paper"
    assert make_method("qlora", settings={"micro_tokens": 64}).condition == "default, changed"
    assert make_method("qlora", settings={"rank": 8, "condition": "small"}).condition == "small"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("qlor",), "method 'qlor' does not exist: did you mean 'qlora'"),
        (("qlora", "papr"), "preset 'papr' does not exist: did you mean 'paper'"),
        (("qlora", "default", {"rnak": 8}), "setting 'rnak' does not exist: did you mean 'rank'"),
        (("qlora", "default", {"loss": "answers"}), "loss 'answers' does not exist: did you mean 'answer'"),
    ],
)
def test_an_unknown_method_preset_or_setting_is_an_error_with_the_nearest(arguments, message):
    with pytest.raises(UnknownNameError, match=message):
        make_method(*arguments)


def test_a_seed_among_the_settings_is_an_error_and_not_overruled_in_silence():
    with pytest.raises(RequestError, match="give a seed as --seed"):
        make_method("qlora", settings={"seed": 3})
