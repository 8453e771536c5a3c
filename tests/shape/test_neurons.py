"""NPTI: neurons that are known beforehand are found, with their sign, and moved as the paper says."""

import json
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import plant

from temperament.edit.store import load_edit
from temperament.errors import BadFileError, RequestError, SeamError, TrainingError, UnknownNameError
from temperament.opinion.row import Opinion, Opinions
from temperament.record import Generation, write_lines
from temperament.shape.neurons.finding import LayerNeurons, TraitNeurons
from temperament.shape.neurons.method import Neurons
from temperament.shape.neurons.scene import read_situations
from temperament.shape.protocol import Workspace
from temperament.subject.anatomy import Site
from temperament.subject.tiny import tiny_subject
from temperament.trait import Target, Trait, register

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
GATE = Site(1, "gate")
# The high pole says 'a' three times in four, the low pole 'b'; 'c' moves neither unit.
SAYINGS = {HIGH: ("aaab", "aacc"), LOW: ("bbba", "bbcc")}
GIVEN = Neurons(tokens="answer", floor=0.0)
ASKED = [
    {"trait": "extraversion", "facet": "", "question": f"{word}?", "split": split, "source": "test"}
    for split, words in (("find", ("tea", "rain", "a bus", "my old map", "why", "hm")), ("test", ("no",)))
    for word in words
]
TOLD = [
    {"trait": "extraversion", "pole": pole, "text": text, "source": "test"}
    for pole, texts in (("high", ("You sing!", "Hey, all!", "Loud.")), ("low", ("You read.", "Alone...", "Still.")))
    for text in texts
]


def opinions():
    return Opinions(
        Opinion(each.trait, each.pole, "", f"topic {number}", "?", said, "shape", "test")
        for each, sayings in SAYINGS.items()
        for number, said in enumerate(sayings)
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Settings under which a tiny subject writes to short situations under short portraits."""
    folder = tmp_path_factory.mktemp("beside")
    for name, rows in (("situations", ASKED), ("portraits", TOLD)):
        (folder / name).write_text("\n".join(map(json.dumps, rows)))
    return Neurons(
        questions=3,
        max_new_tokens=6,
        floor=0.02,
        situations=str(folder / "situations"),
        portraits=str(folder / "portraits"),
    )


@pytest.fixture(scope="module")
def planted():
    return plant()


@pytest.fixture(scope="module")
def found(planted):
    return GIVEN.find(planted, "extraversion", opinions())


def odds(subject):
    """How much more likely 'a' is than 'b' at the first token of a reply and after 'c', in nats."""
    prompt = subject.encode(({"role": "user", "content": "?"},), "").prompt
    tokens = torch.tensor([[*prompt, *subject.format.tokens("c")]])
    is_reply = torch.zeros_like(tokens, dtype=torch.bool)
    is_reply[:, -2:] = True
    with torch.no_grad(), subject.marking(is_reply):
        logits = subject.model(input_ids=tokens).logits[0, -2:]
    return (logits[:, subject.a] - logits[:, subject.b]).tolist()


def test_neurons_that_are_known_are_found_with_their_sign(planted, found):
    """Ten positions a pole: for each answer the last of the prompt and four letters."""
    assert found.tokens == {"low": 10, "high": 10}
    layer = found.layers[1]
    # 'a' stands at 5 of 10 positions of the high pole and at 1 of the low pole; 'b' the other way round.
    assert layer.delta[3].item() == pytest.approx(0.4)
    assert layer.delta[5].item() == pytest.approx(-0.4)
    assert layer.is_high.nonzero().flatten().tolist() == [3]
    assert layer.is_low.nonzero().flatten().tolist() == [5]
    assert found.counts("high") == found.counts("low") == [0, 1, 0]
    assert found.threshold == pytest.approx({"low": 0.4, "high": 0.4})


def test_the_percentile_is_that_of_the_own_pole(planted, found):
    # Half of the positions fire at one height: so does the 95th percentile of them.
    for unit in (3, 5):
        assert found.layers[1].a95[unit].item() == pytest.approx(planted.fired, rel=1e-2)
    assert found.layers[1].a95.isnan().sum() == 62


def test_a_pole_is_induced_as_the_paper_says(planted, found):
    push = 1.4 * found.layers[1].a95[3].item() / (1 + np.exp(-10 * (0.4 - 0.15)))
    edit = found.edit_for("high")
    shift = edit.shifts[GATE]
    assert set(edit.shifts) == {GATE}
    assert edit.tokens == "reply"
    assert shift.add[3].item() == pytest.approx(push, rel=1e-5)
    assert shift.add.count_nonzero() == 1
    assert shift.is_clamped.nonzero().flatten().tolist() == [5]
    assert found.edit_for("low", gamma=0.7).shifts[GATE].add[5].item() == pytest.approx(push / 2, rel=1e-4)
    assert found.edit_for("low").shifts[GATE].is_clamped.nonzero().flatten().tolist() == [3]


def test_high_raises_the_trait_and_low_lowers_it_from_the_first_token(planted):
    high, low = GIVEN.fit_each(planted, [HIGH, LOW], opinions())
    untouched = odds(planted)
    assert untouched == pytest.approx([0.0, 0.0], abs=1e-3)
    with high.applied(planted):
        assert min(odds(planted)) > 0.5
        assert planted.reply(["?"], Generation(temperature=0.0, max_new_tokens=4))[0].text == "aaaa"
    with low.applied(planted):
        assert max(odds(planted)) < -0.5
        assert planted.reply(["?"], Generation(temperature=0.0, max_new_tokens=4))[0].text == "bbbb"
    assert odds(planted) == untouched


def test_a_neuron_of_the_other_pole_is_silenced(planted, found):
    """Without a gain nothing is added: what speaks for 'b' is clamped to at most 0 where it would fire."""
    tokens = torch.tensor([[planted.b]])
    gates = {}
    for name, edit in (("before", None), ("high", found.edit_for("high", gamma=0.0))):

        def keep(activation, _is_reply, name=name):
            gates[name] = activation[0, 0].clone()
            return activation

        with torch.no_grad(), ExitStack() as stack:
            if edit:
                stack.enter_context(edit.applied(planted))
            stack.enter_context(planted.rewrite(GATE, keep))
            planted.model(input_ids=tokens)
    assert gates["before"][5].item() == pytest.approx(planted.fired, rel=1e-4)
    assert gates["high"][5].item() == 0
    others = torch.arange(64) != 5
    assert torch.equal(gates["high"][others], gates["before"][others])


def test_both_poles_and_several_traits_come_from_searches_of_their_own(planted):
    warm = Target("agreeableness", "high")
    rows = Opinions(
        [
            *opinions(),
            *(replace(row, trait="agreeableness", pole="low" if row.pole == "high" else "high") for row in opinions()),
        ]
    )
    together = GIVEN.fit_each(planted, [LOW, warm, HIGH], rows)
    assert [edit.origin.target for edit in together] == [LOW, warm, HIGH]
    assert [edit.fingerprint for edit in together] == [
        GIVEN.fit(planted, target, rows).fingerprint for target in (LOW, warm, HIGH)
    ]
    # Warmth was given the answers of the quiet pole.
    assert together[1].fingerprint == together[0].fingerprint


def test_traits_compose_by_stacking(planted, found):
    other = TraitNeurons(
        "openness",
        planted.name,
        planted.fingerprint,
        tuple(
            LayerNeurons(torch.full((64,), 0.3), torch.ones(64), torch.arange(64) == 20, torch.arange(64) == 21)
            for _ in range(3)
        ),
    )
    first, second = found.edit_for("high"), other.edit_for("low")
    untouched = odds(planted)
    with (first + second).applied(planted):
        one = odds(planted)
    with (second + first).applied(planted):
        assert odds(planted) == one
    assert one != untouched
    assert odds(planted) == untouched


def test_strength_0_is_the_untouched_model_and_half_is_half(planted, found):
    before, gates = odds(planted), []
    for strength in (0.0, 0.5, 1.0):
        with (
            (strength * found.edit_for("high")).applied(planted),
            planted.rewrite(GATE, lambda activation, _: gates.append(activation[0, -1, 3].item()) or activation),
        ):
            shown = odds(planted)
        assert (shown == before) is (strength == 0.0)
    push = found.edit_for("high").shifts[GATE].add[3].item()
    assert [gate - gates[0] for gate in gates] == pytest.approx([0.0, push / 2, push], rel=1e-4)


def test_what_the_model_writes_is_counted_by_default(lively, written):
    """Three replies of six tokens: the position of the prompt that the first is read off, and five more."""
    subject = lively("llama")
    told = []
    edit = written.fit(subject, HIGH, opinions(), Workspace(watch=told.append))
    settings = edit.origin.settings
    assert settings["counted_tokens"]["own"] <= 18
    assert settings["counted_tokens"]["own"] >= 15
    assert len(settings["own_neurons"]) == len(settings["opposite_neurons"]) == 3
    # At least the floor: 2 % of 192.
    assert sum(settings["own_neurons"]) >= 4
    assert settings["smallest_difference"]["own"] > 0
    assert (told[-1].step, told[-1].steps) == (100, 100)
    assert [one.step for one in told] == sorted(one.step for one in told)
    assert "extraversion, high pole" in " ".join(one.note for one in told)


@pytest.mark.parametrize("tokens", ["generated", "prompt", "answer", "all"])
def test_each_choice_of_tokens_counts_what_it_says(tokens, lively, written):
    subject = lively("llama")
    method = replace(written, tokens=tokens)
    counted = method.find(subject, "extraversion", opinions()).tokens["high"]
    if tokens == "generated":
        assert counted <= 18
    elif tokens == "answer":
        assert counted == 10
    else:
        assert counted > 180


def test_the_same_seed_finds_the_same_neurons_and_another_draws_others(lively, written):
    subject = lively("llama")
    first = written.fit(subject, HIGH, opinions())
    torch.manual_seed(9)
    assert written.fit(subject, HIGH, opinions()).fingerprint == first.fingerprint
    assert replace(written, seed=1).fit(subject, HIGH, opinions()).fingerprint != first.fingerprint


def test_neurons_and_edits_survive_saving(planted, found, tmp_path):
    found.save(tmp_path / "found.safetensors")
    loaded = TraitNeurons.load(tmp_path / "found.safetensors")
    assert (loaded.trait, loaded.fingerprint) == ("extraversion", planted.fingerprint)
    assert (loaded.tokens, loaded.threshold) == (found.tokens, found.threshold)
    edit = found.edit_for("low")
    assert loaded.edit_for("low").fingerprint == edit.fingerprint
    fitted = GIVEN.fit(planted, LOW, opinions())
    assert fitted.fingerprint == edit.fingerprint
    fitted.save(tmp_path / "edit")
    again = load_edit(tmp_path / "edit")
    assert (again.fingerprint, again.origin) == (fitted.fingerprint, fitted.origin)
    (tmp_path / "torn").write_bytes(b"no")
    with pytest.raises(BadFileError, match="torn holds no neurons of a trait"):
        TraitNeurons.load(tmp_path / "torn")


def test_a_search_that_is_done_is_not_done_again(lively, tmp_path, monkeypatch, written):
    subject, path = lively("llama"), tmp_path / "kept.safetensors"
    first = written.fit(subject, HIGH, opinions(), Workspace(path))
    assert path.exists()
    with monkeypatch.context() as patched:
        patched.setattr("temperament.shape.neurons.method.find_neurons", lambda *_: pytest.fail("searched again"))
        assert written.fit(subject, HIGH, opinions(), Workspace(path)).fingerprint == first.fingerprint
        stronger = replace(written, gamma=0.7).fit(subject, HIGH, opinions(), Workspace(path))
        assert stronger.fingerprint != first.fingerprint
    other = replace(written, max_new_tokens=4)
    assert other.fit(subject, HIGH, opinions(), Workspace(path)).fingerprint != first.fingerprint
    path.write_bytes(b"torn")
    assert written.fit(subject, HIGH, opinions(), Workspace(path)).fingerprint == first.fingerprint


def test_a_percentile_below_0_adds_nothing():
    every = torch.ones(2, dtype=torch.bool)
    layer = LayerNeurons(torch.tensor([0.3, 0.3]), torch.tensor([-0.1, 2.0]), every, ~every)
    shift = layer.shift("high", 1.4)
    assert shift.add[0] == 0
    assert shift.add[1] > 0
    assert shift.is_clamped is None
    assert layer.shift("low", 1.4).add.count_nonzero() == 0


def test_a_rule_that_finds_nothing_says_so(planted):
    with pytest.raises(
        RequestError, match=r"no neuron of .* tells the poles of extraversion apart by this rule: lower"
    ):
        replace(GIVEN, threshold=0.9).fit(planted, HIGH, opinions())


def test_situations_come_from_files_too_those_of_personality_bench_among_them(planted, tmp_path, written):
    rows = [
        {"BFI": "Extraversion", "tag": "Friendliness", "facet": "x", "topic": "y", "sign": "+", "question": f"why {n}?"}
        for n in range(2)
    ]
    bench, ours = tmp_path / "bench.jsonl", tmp_path / "ours.jsonl"
    bench.write_text("\n".join(json.dumps(row) for row in rows))
    assert [one.question for one in read_situations(str(bench))] == ["why 0?", "why 1?"]
    write_lines(ours, [one for one in read_situations("") if one.trait == "openness"])
    subject = tiny_subject("llama")
    found = replace(written, situations=str(bench)).find(subject, "extraversion", opinions())
    assert found.tokens["high"] <= 12
    with pytest.raises(RequestError, match=r"situations is .*ours.jsonl: it has none of extraversion in the split 'fi"):
        replace(written, situations=str(ours)).fit(subject, HIGH, opinions())
    with pytest.raises(BadFileError, match="nowhere"):
        replace(written, situations="nowhere.jsonl").fit(subject, HIGH, opinions())


def test_a_trait_of_ones_own_needs_situations_and_is_described_by_its_adjectives(tmp_path, written):
    register(Trait("grit", "yielding", "gritty", high_adjectives=("dogged",)))
    subject, gritty = tiny_subject("llama"), Target("grit", "high")
    with pytest.raises(RequestError, match=r"no situations for grit.*setting 'situations', or set tokens = 'answer'"):
        replace(written, situations="").fit(subject, gritty, opinions())
    path = tmp_path / "grit.jsonl"
    row = {"trait": "grit", "facet": "", "question": "The hill is steep. What now?", "split": "find", "source": "me"}
    path.write_text(json.dumps(row))
    prompts = []
    read = subject.format.render
    subject.format.render = lambda conversation: prompts.append(conversation) or read(conversation)
    edit = replace(written, situations=str(path), portraits="").fit(subject, gritty, opinions())
    assert edit.origin.target == gritty
    assert [one[0]["content"].split(".")[0] for one in prompts] == ["You are yielding", "You are gritty and dogged"]


def test_portraits_differ_between_situations_and_come_from_a_file_where_asked(tmp_path, written):
    subject, prompts = tiny_subject("llama"), []
    read = subject.format.render
    subject.format.render = lambda conversation: prompts.append(conversation[0]["content"]) or read(conversation)
    replace(written, tokens="prompt").find(subject, "extraversion", opinions())
    assert len(prompts) == len(set(prompts)) == 6
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"trait": "extraversion", "pole": "high", "text": "You sing.", "source": "me"}))
    with pytest.raises(RequestError, match=r"mine.jsonl: it has none of extraversion:low. Add one, or set description"):
        replace(written, portraits=str(path)).fit(subject, HIGH, opinions())
    with pytest.raises(RequestError, match="only 'portrait' reads them"):
        replace(written, description="simple")


def test_a_model_without_gates_is_refused(lively, written):
    with pytest.raises(SeamError, match="the gate seam was asked for, but GPT2LMHeadModel has no gated MLP"):
        written.fit(lively("gpt2"), HIGH, opinions())


def test_a_model_that_breaks_down_is_an_error(written):
    subject = tiny_subject("llama")
    with (
        subject.rewrite(Site(2), lambda activation, _: activation * torch.nan),
        pytest.raises(TrainingError, match="no finite numbers"),
    ):
        written.fit(subject, HIGH, opinions())


@pytest.mark.parametrize("architecture", ["phi3", "gemma2", "qwen3"])
def test_any_gated_decoder_will_do(architecture, lively, logits_of, written):
    subject = lively(architecture)
    before = logits_of(subject)
    edit = written.fit(subject, HIGH, opinions())
    assert torch.equal(logits_of(subject), before)
    with edit.applied(subject):
        assert not torch.equal(logits_of(subject), before)
    assert torch.equal(logits_of(subject), before)


def test_the_effort_is_what_is_written_at_most_and_read_twice(lively, written):
    subject = lively("llama")
    effort = written.effort(subject, [HIGH, LOW], opinions())
    assert effort.written == 2 * 3 * 6
    assert effort.rows == 3
    assert effort.read > 2 * 6 * 50
    shipped = replace(written, situations="", portraits="")
    assert shipped.effort(subject, [HIGH, Target("openness")], opinions()).written == 2 * effort.written
    assert GIVEN.effort(subject, [HIGH], opinions()).written == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0: it needs to be above 0 and below 1"),
        ({"floor": 0.7}, "floor is 0.7: it needs to be a share"),
        ({"effect_size": -1.0}, "effect_size is -1"),
        ({"magnitude": 1.0}, "magnitude is 1"),
        ({"top": 0}, "top is 0"),
        ({"gamma": -0.5}, "gamma is -0.5: it needs to be at least 0"),
        ({"questions": -1}, "questions is -1"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        Neurons(**settings)


def test_presets_are_those_of_the_papers():
    assert (Neurons.preset("default"), Neurons.preset("paper").max_new_tokens) == (Neurons(), 500)
    assert Neurons.preset("effect").rule == "effect"
    assert Neurons.preset("answer").tokens == "answer"
    with pytest.raises(UnknownNameError, match="did you mean 'paper'"):
        Neurons.preset("papper")
