"""What a steering vector is, what it does, and that layer and gain are chosen on other topics than it is made from."""

from dataclasses import replace

import pytest
import torch

from temperament.edit.store import load_edit
from temperament.errors import RequestError, SeamError, TrainingError, UnknownNameError
from temperament.opinion.row import Opinion, Opinions
from temperament.shape.direction import choice
from temperament.shape.direction.method import DEPTHS, Direction
from temperament.shape.likelihood import pole_likelihoods
from temperament.shape.pair import pairs_of
from temperament.shape.protocol import Workspace
from temperament.shape.registry import make_method
from temperament.subject.anatomy import Site
from temperament.subject.scripted import ScriptedSubject
from temperament.subject.tiny import tiny_subject
from temperament.trait import Target, Trait, register

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
SAYINGS = {"high": "Come over, {} is best in a loud crowd!", "low": "I keep {} to myself, quiet and alone."}
TOPICS = ("tea", "buses", "old maps", "rain", "chess", "moss", "jam", "hats")


def rows(topics=TOPICS, trait="extraversion", poles=("high", "low")):
    return Opinions(
        Opinion(trait, pole, "", topic, f"What about {topic}?", SAYINGS[pole].format(topic), "shape", "test")
        for pole in poles
        for topic in topics
    )


@pytest.fixture(scope="module")
def subject():
    """Its output map is its embedding, so that the stream holds what was just said and a shift brings it back."""
    return tiny_subject("gpt2")


QUICK = Direction(layers=(0, 1), gains=(1.0, 3.0), passages=1)
FIXED = Direction(layers=(1,), gains=(2.0,), passages=1)


@pytest.fixture(scope="module")
def both(subject):
    return QUICK.fit_each(subject, [HIGH, LOW], rows())


def gap(subject, edit=None, target=HIGH):
    """Mean of p+ - p- on topics that nothing is fitted to."""
    pairs = pairs_of(rows(("soup", "kites", "ponds")), target)
    if edit is None:
        found = pole_likelihoods(subject, pairs)
    else:
        with edit.applied(subject):
            found = pole_likelihoods(subject, pairs)
    return sum(plus - minus for plus, minus in found) / len(found)


def only(edit):
    ((site, shift),) = edit.shifts.items()
    return site, shift.add


def states(subject, layer, opinion):
    """The stream after a block over the tokens of an answer, from one row without padding."""
    encoded = subject.encode(({"role": "user", "content": opinion.question},), opinion.answer)
    tokens = encoded.prompt + encoded.answer[: -len(subject.format.ending)]
    seen = []
    with (
        torch.no_grad(),
        subject.rewrite(Site(layer), lambda activation, _reply: seen.append(activation) or activation),
    ):
        subject.model(input_ids=torch.tensor([tokens]))
    return seen[0][0, len(encoded.prompt) :]


@pytest.mark.parametrize("kind", ["difference", "component"])
def test_high_makes_held_answers_of_the_high_pole_likelier_against_the_low_and_low_the_reverse(kind, subject, both):
    edits = both if kind == "difference" else replace(QUICK, kind=kind).fit_each(subject, [HIGH, LOW], rows())
    high, low = edits
    untouched = gap(subject)
    assert gap(subject, high) > untouched + 0.03
    assert gap(subject, low) < untouched - 0.03
    assert gap(subject, -1.0 * high) < untouched - 0.03
    assert gap(subject, low, LOW) > gap(subject, target=LOW) + 0.03


def test_the_report_tells_the_rise_on_topics_that_had_no_say(both):
    for edit in both:
        choice = edit.origin.settings["choice"]
        assert (choice["criterion"], choice["chosen_on"]["topics"], choice["reported_on"]["topics"]) == (
            "likelihood",
            2,
            2,
        )
        for part in ("chosen_on", "reported_on"):
            assert choice[part]["effect"]["value"] > 0.03
            assert choice[part]["divergence"] > 0
        best = max(trial["score"] for trial in choice["tried"] if trial["score"] is not None)
        assert choice["chosen_on"]["effect"]["value"] == pytest.approx(best)
        (chosen,) = [trial for trial in choice["tried"] if trial["score"] == best]
        assert (chosen["layer"], chosen["gain"]) == (choice["layer"], choice["gain"])
        assert only(edit)[0] == Site(choice["layer"])


def test_the_vector_is_the_difference_of_means_in_units_of_the_mean_length_of_the_stream(subject):
    opinions = rows(("tea",))
    edit = FIXED.fit(subject, HIGH, opinions)
    high, low = (states(subject, 1, opinion) for opinion in opinions)
    difference = high.mean(dim=0) - low.mean(dim=0)
    length = torch.cat([high, low]).norm(dim=1).mean()
    site, add = only(edit)
    assert site == Site(1)
    torch.testing.assert_close(add, 2.0 * length * difference / difference.norm(), rtol=1e-4, atol=1e-5)
    assert edit.origin.rows == 2
    assert edit.origin.settings["choice"]["reported_on"] is None


def test_an_answer_counts_as_one_however_long_it_is(subject):
    opinions = list(rows(("tea", "rain")))
    opinions[0] = replace(opinions[0], answer="Loud! " * 10)
    # The topic of the report is drawn, so each may be the one that the vector is made from.
    expected = []
    for topic in ("tea", "rain"):
        high, low = (states(subject, 1, opinion).mean(dim=0) for opinion in opinions if opinion.topic == topic)
        expected.append((high - low) / (high - low).norm())
    add = only(FIXED.fit(subject, HIGH, Opinions(opinions)))[1]
    assert max(float(each @ add / add.norm()) for each in expected) > 0.9999


def test_the_component_is_the_first_of_the_differences_as_they_are_and_not_centred(subject):
    method = replace(FIXED, kind="component")
    opinions = rows()
    add = only(method.fit(subject, HIGH, opinions))[1]
    used = method._parts(opinions, HIGH, method._grid(subject, None)).vector
    differences = torch.stack(
        [states(subject, 1, pair.shown).mean(dim=0) - states(subject, 1, pair.other).mean(dim=0) for pair in used]
    )
    assert len(used) == 6
    expected = torch.linalg.eigh(differences.T @ differences).eigenvectors[:, -1]
    expected = expected * torch.sign(expected @ differences.mean(dim=0))
    torch.testing.assert_close(add / add.norm(), expected, rtol=1e-3, atol=1e-4)


def test_the_poles_of_a_trait_are_each_others_negative(subject):
    high, low = FIXED.fit_each(subject, [HIGH, LOW], rows())
    assert torch.equal(only(high)[1], -only(low)[1])


def test_the_control_is_as_long_at_the_same_place_and_does_nothing_of_the_kind(subject, both):
    control = replace(QUICK, kind="random", condition="random").fit(subject, HIGH, rows())
    (site, add), (there, vector) = only(control), only(both[0])
    assert site == there
    assert float(add.norm()) == pytest.approx(float(vector.norm()), rel=1e-5)
    assert abs(float(torch.nn.functional.cosine_similarity(add, vector, dim=0))) < 0.6
    assert control.label.condition == "random"
    chosen, reported = (
        control.origin.settings["choice"][part]["effect"]["value"] for part in ("chosen_on", "reported_on")
    )
    assert chosen == both[0].origin.settings["choice"]["chosen_on"]["effect"]["value"]
    assert reported < 0.5 * both[0].origin.settings["choice"]["reported_on"]["effect"]["value"]


def test_controls_of_other_seeds_and_targets_are_others(subject):
    method = replace(FIXED, kind="random")
    high, low = (only(edit)[1] for edit in method.fit_each(subject, [HIGH, LOW], rows()))
    other = only(replace(method, seed=1).fit(subject, HIGH, rows()))[1]
    for first, second in ((high, low), (high, other), (high, -low)):
        assert not torch.allclose(first / first.norm(), second / second.norm(), atol=0.1)


@pytest.fixture
def costly(monkeypatch):
    """Perplexity that grows with the length of the shift; that of a random model does as it likes."""

    def grown(_bench, edit):
        return 1 + max(float(shift.add.norm()) for shift in edit.shifts.values()) / 1000

    monkeypatch.setattr(choice.Bench, "perplexity", grown)


def test_a_candidate_that_breaks_the_floor_is_not_chosen_and_stronger_ones_are_not_tried(subject, costly):
    method = replace(QUICK, layers=(1,), gains=(30.0, 3.0, 1.0))
    free = method.fit(subject, HIGH, rows()).origin.settings["choice"]
    by_gain = {trial["gain"]: trial["perplexity"] for trial in free["tried"]}
    assert free["gain"] > 1
    assert by_gain[1.0] < by_gain[3.0]
    limit = (by_gain[1.0] + by_gain[3.0]) / 2
    floored = replace(method, perplexity_limit=limit).fit(subject, HIGH, rows()).origin.settings["choice"]
    assert [(trial["gain"], trial["is_fluent"]) for trial in floored["tried"]] == [(1.0, True), (3.0, False)]
    assert floored["tried"][1]["score"] is None
    assert floored["gain"] == 1
    assert floored["chosen_on"]["perplexity"] <= limit


def test_where_everything_breaks_the_floor_the_error_says_by_how_much(subject, costly):
    method = replace(QUICK, perplexity_limit=1.0001)
    with pytest.raises(
        TrainingError, match=r"than 1\.0001 times .*: layer 0 at gain 1 [\d.]+ times, layer 1 .*Give smaller"
    ):
        method.fit(subject, HIGH, rows())


def test_the_strongest_fluent_gain_of_each_layer_is_scored_and_at_the_best_layer_the_weaker_ones_too(both):
    choice = both[0].origin.settings["choice"]
    scored = {(trial["layer"], trial["gain"]) for trial in choice["tried"] if trial["score"] is not None}
    assert scored == {(0, 3.0), (1, 3.0), (choice["layer"], 1.0)}
    assert len(choice["tried"]) == 4


def test_a_score_of_ones_own_is_asked_on_two_sets_of_topics_that_the_vector_is_not_made_from(subject):
    asked = []

    def score(shaped, opinions):
        asked.append((frozenset(opinions.topics), shaped.label.strength))
        assert {opinion.pole for opinion in opinions} == {"high", "low"}
        return -gap(shaped)  # The worst candidate by likelihood is the best one here.

    edit = QUICK.choose(subject, HIGH, rows(), score)
    choice = edit.origin.settings["choice"]
    assert choice["criterion"] == "score"
    trials = {
        (trial["layer"], trial["gain"]): trial["score"] for trial in choice["tried"] if trial["score"] is not None
    }
    assert trials[choice["layer"], choice["gain"]] == max(trials.values())
    assert choice["chosen_on"]["score"] < 0
    first, second = {topics for topics, _ in asked}
    assert not first & second
    vector = QUICK._parts(rows(), HIGH, QUICK._grid(subject, None)).vector
    assert not {pair.shown.topic for pair in vector} & (first | second)
    assert edit.origin.rows == 2 * len(vector) == 8


def test_too_few_topics_to_choose_on_is_an_error_that_says_what_to_do(subject):
    with pytest.raises(
        RequestError, match=r"takes three topics .* there are 2\. Give opinions on more topics, or fix both"
    ):
        QUICK.fit(subject, HIGH, rows(("tea", "rain")))
    choice = FIXED.fit(subject, HIGH, rows(("tea", "rain"))).origin.settings["choice"]
    assert (choice["criterion"], choice["layer"], choice["gain"], choice["tried"]) == ("settings", 1, 2.0, [])
    assert choice["chosen_on"] is None
    assert choice["reported_on"]["topics"] == 1


def test_without_layers_five_in_the_middle_are_tried_or_as_many_as_there_are(subject):
    grid = Direction()._grid(subject, None)
    assert grid.layers == (1, 2)
    assert [int(depth * 30) for depth in DEPTHS] == [12, 15, 18, 21, 24]


def test_a_fitting_leaves_no_trace_and_the_seed_decides_it_to_the_bit(subject, both, logits_of, lively):
    llama = lively("llama")
    before = logits_of(llama)
    llama_method = replace(FIXED, gains=(0.5,))
    first = llama_method.fit(llama, HIGH, rows())
    assert torch.equal(logits_of(llama), before)
    assert llama_method.fit(llama, HIGH, rows()).fingerprint == first.fingerprint
    assert replace(llama_method, seed=1).fit(llama, HIGH, rows()).fingerprint != first.fingerprint
    assert QUICK.fit(subject, LOW, rows()).fingerprint == both[1].fingerprint


def test_an_edit_is_the_same_after_saving_and_loading(both, tmp_path):
    both[0].save(tmp_path / "loud")
    loaded = load_edit(tmp_path / "loud")
    assert loaded.fingerprint == both[0].fingerprint
    assert loaded.origin == both[0].origin


def test_progress_goes_up_to_the_last_step(subject):
    seen = []
    QUICK.fit_each(subject, [HIGH, LOW], rows(), Workspace(watch=seen.append))
    steps = [progress.step for progress in seen]
    assert steps == sorted(steps)
    assert (seen[-1].step, seen[-1].steps) == (18, 18)
    assert any("layer 1 at gain 3 scores" in progress.note for progress in seen)


def test_the_gate_of_a_gated_model_can_be_steered_too():
    llama = tiny_subject("llama")
    edit = replace(FIXED, place="gate").fit(llama, HIGH, rows())
    site, add = only(edit)
    assert (site, len(add)) == (Site(1, "gate"), 64)
    assert gap(llama, 3.0 * edit) != gap(llama)


def test_a_trait_of_ones_own_has_a_direction(subject):
    register(Trait("playfulness", "earnest", "playful"))
    target = Target("playfulness")
    edit = FIXED.fit(subject, target, rows(trait="playfulness"))
    assert edit.origin.target == target
    assert torch.equal(only(edit)[1], only(FIXED.fit(subject, HIGH, rows()))[1])


def test_the_effort_counts_what_is_read_and_a_trait_is_read_once(subject):
    one, two = (QUICK.effort(subject, targets, rows()).read for targets in ([HIGH], [HIGH, LOW]))
    assert 1.5 * one < two < 2 * one
    assert FIXED.effort(subject, [HIGH], rows()).read < one


def test_what_cannot_be_steered_is_an_error(subject):
    with pytest.raises(SeamError, match="whose weights are not at hand"):
        QUICK.fit(ScriptedSubject("remote"), HIGH, rows())
    with pytest.raises(SeamError, match="layer 31 does not exist: this model has layers 0 to 2"):
        replace(QUICK, layers=(1, 31)).fit(subject, HIGH, rows())
    with pytest.raises(SeamError, match="the gate seam was asked for"):
        replace(QUICK, place="gate").fit(subject, HIGH, rows())
    with pytest.raises(RequestError, match="shows extraversion:low: give opinions that do"):
        QUICK.fit(subject, HIGH, rows(poles=("high",)))


def test_poles_that_say_the_same_have_no_direction(subject):
    same = Opinions(replace(opinion, answer=f"It is {opinion.topic}.") for opinion in rows())
    with pytest.raises(TrainingError, match="is the same for answers of both poles of extraversion"):
        QUICK.fit(subject, HIGH, same)


def test_an_edit_that_makes_nonsense_of_the_model_is_reported_without_figures(subject):
    choice = replace(FIXED, gains=(1e30,)).fit(subject, HIGH, rows()).origin.settings["choice"]
    assert choice["reported_on"]["effect"]["n"] == 2


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("layers", [-1], "layers has -1: layers count from 0"),
        ("gains", [], "gains is .*: it needs numbers above 0"),
        ("gains", [0.1, -0.2], "gains is .*: it needs numbers above 0"),
        ("perplexity_limit", 1.0, "perplexity_limit is 1: it needs to be above 1"),
        ("choice_pairs", 0, "choice_pairs is 0: it needs to be at least 1"),
        ("kind", "diference", "kind 'diference' does not exist: did you mean 'difference'"),
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(setting, value, message):
    with pytest.raises(RequestError, match=message):
        make_method("direction", settings={setting: value})


def test_presets_differ_in_kind_and_name():
    assert [make_method("direction", name).kind for name in ("default", "component", "random")] == [
        "difference",
        "component",
        "random",
    ]
    assert make_method("direction", "random").condition == "random"
    assert make_method("direction", settings={"layers": [3], "gains": [1]}).layers == (3,)
    with pytest.raises(UnknownNameError, match="preset 'randm' does not exist: did you mean 'random'"):
        Direction.preset("randm")
