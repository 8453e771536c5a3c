"""The budget is the strongest strength within limits on one half, and is looked at once on the other."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError
from temperament.measure.fluency import Rule
from temperament.measure.interview import Item
from temperament.measure.reading import Text, passages
from temperament.opinion.situation import load_passages
from temperament.record import Generation
from temperament.stats import Estimate
from temperament.study.budget import Account, Cost, Limits, Walk, find_budget
from temperament.study.meter import HalfMeter, Yardstick, halves, neutral_texts
from temperament.study.plan import MeasurePlan
from temperament.subject.anatomy import Site
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

HIGH = Target("extraversion")
ANY = ActivationEdit(Origin("direction", target=HIGH))
NOBODY = ScriptedSubject("never asked")
WALK = Walk()
LIMITS = Limits(perplexity=1.5, kl=0.2, gibberish=0.1, off_target=0.2)


class Scripted:
    """A meter whose costs are functions of the strength."""

    def __init__(self, **costs):
        self.costs, self.asked, self.enough = costs, [], set()

    def account(self, edit, enough=math.inf):
        self.asked.append(edit.strength)
        self.enough.add(enough)
        found = [
            Cost(
                name,
                getattr(LIMITS, name),
                estimate(function(edit.strength)),
                "openness" if name == "off_target" else None,
            )
            for name, function in self.costs.items()
        ]
        return Account(tuple(found), (), 20, 16)


def estimate(value):
    return Estimate(None, None, None, 3) if value is None else Estimate(value, value - 0.01, value + 0.01, 20)


def found(search, confirmation=None, walk=WALK, edit=ANY):
    return find_budget(NOBODY, edit, search, lambda: confirmation or search, LIMITS, walk)


def test_the_strongest_strength_within_the_limits_is_found_to_an_eighth_of_a_step():
    meter, other = Scripted(kl=lambda s: 0.2 * s**2), Scripted(kl=lambda s: 0.2 * s**2)
    budget = found(meter, other)
    # With a fifth in reserve the limit is 0.16.
    assert math.sqrt(0.8) - 0.25 / 8 <= budget.strength < math.sqrt(0.8)
    assert budget.binding == "kl"
    assert budget.search.costs[0].estimate.value == pytest.approx(0.2 * budget.strength**2)
    assert budget.is_confirmed
    assert budget.is_certain
    assert budget.note == ""
    assert other.asked == [budget.strength]
    # Where the search has seen enough, costly replies are spared; the other half is looked at whole.
    assert (meter.enough, other.enough) == ({0.8}, {math.inf})
    assert meter.asked[:5] == [0.25, 0.5, 0.75, 1.0, 1.25]
    assert len(meter.asked) == len(set(meter.asked)) == 8
    assert [each.strength for each in budget.tried] == sorted(meter.asked)
    assert found(meter, walk=Walk(reserve=0.0)).strength == pytest.approx(1.0, abs=0.25 / 8)
    assert found(meter, walk=Walk(refinements=0)).strength == 0.75


def test_each_limit_binds_in_its_own_unit():
    calm = {"perplexity": lambda s: 1 + 0.01 * s, "kl": lambda s: 0.01 * s, "gibberish": lambda _s: 0.0}
    for name, function, expected in (
        ("perplexity", lambda s: 1 + 0.5 * s, 0.8),
        ("kl", lambda s: 0.4 * s, 0.4),
        ("gibberish", lambda s: 0.09 * s, 0.8 / 0.9),
        ("off_target", lambda s: 0.2 * s, 0.8),
        ("off_target", lambda s: -0.2 * s, 0.8),
    ):
        budget = found(Scripted(**{**calm, name: function}))
        assert budget.strength == pytest.approx(expected, abs=0.25 / 8)
        assert budget.strength < expected
        assert budget.binding == ("off_target of openness" if name == "off_target" else name)


def test_where_no_limit_binds_the_strongest_is_given():
    budget = found(Scripted(kl=lambda s: 0.01 * s), walk=Walk(most=1.1))
    assert (budget.strength, budget.binding, budget.is_confirmed) == (1.1, "", True)
    assert [each.strength for each in budget.tried] == [0.25, 0.5, 0.75, 1.0, 1.1]


def test_less_perplexity_than_before_uses_nothing_up():
    assert found(Scripted(perplexity=lambda s: 1 - 0.1 * s)).strength == 2.0


def test_where_nothing_is_within_the_limits_nothing_is_confirmed():
    budget = find_budget(NOBODY, ANY, Scripted(kl=lambda _s: 1.0), unasked, LIMITS)
    assert (budget.strength, budget.search, budget.confirmation) == (0.0, None, None)
    assert not budget.is_confirmed
    assert budget.binding == "kl"
    assert budget.tried[0].strength == 0.25 / 8
    assert "0.03125, is beyond a limit" in budget.note


def unasked():
    pytest.fail("the other half was looked at")


def test_what_does_not_hold_on_the_other_half_is_said_and_nothing_else_is_tried():
    search, other = Scripted(kl=lambda s: 0.2 * s), Scripted(kl=lambda s: 0.3 * s)
    budget = found(search, other)
    assert budget.strength == pytest.approx(0.8, abs=0.03)
    assert (budget.is_confirmed, budget.is_certain) == (False, False)
    assert other.asked == [budget.strength]
    assert budget.note.startswith("not confirmed: on the other half kl is 0.2")
    assert budget.note.endswith("and 0.2 was allowed")
    assert budget.confirmation.costs[0].spent > 1


def test_the_other_half_may_use_the_reserve_and_intervals_are_another_matter():
    budget = found(Scripted(kl=lambda s: 0.2 * s), Scripted(kl=lambda s: 0.245 * s))
    assert budget.is_confirmed
    assert not budget.is_certain
    wide = Cost("off_target", 0.2, Estimate(0.0, -0.3, 0.1, 20), "openness")
    assert (wide.spent, wide.is_certain) == (0.0, False)
    assert not Cost("kl", 0.2, Estimate(0.1, None, None, 1)).is_certain
    assert Cost("kl", 0.2, Estimate(0.1, 0.0, 0.2, 9)).is_certain


def test_where_effects_do_not_grow_evenly_the_first_limit_counts_and_the_note_says_so():
    bumpy = {0.75: 0.3}
    budget = found(Scripted(kl=lambda s: bumpy.get(s, 0.05 * s)), walk=Walk(most=1.5))
    assert 0.5 < budget.strength < 0.75
    assert [each.strength for each in budget.tried if each.spent > 1] == [0.75]
    assert budget.note == "within the limits again at 1, 1.25, 1.5, by chance or because effects do not grow evenly"


def test_a_strength_that_breaks_the_model_is_beyond_every_limit():
    budget = found(Scripted(kl=lambda s: 0.01 * s if s < 1 else None))
    assert 0.9 < budget.strength < 1.0
    assert budget.binding == "kl"
    assert {each.strength: each.spent for each in budget.tried}[1.0] is None


def test_the_strength_multiplies_the_edit_as_it_was_given():
    meter = Scripted(kl=lambda s: 0.2 * s)
    assert found(meter, edit=0.5 * ANY, walk=Walk(most=4.0)).strength == pytest.approx(1.6, abs=0.03)
    assert meter.asked[0] == 0.125


def test_an_edit_without_a_dial_has_no_budget():
    edit = ContextEdit(Origin("prompt", target=HIGH), system="Be bold.")
    for one in (edit, edit + ANY):
        with pytest.raises(RequestError, match="a budget was asked for prompt, which has no dial"):
            found(Scripted(kl=lambda s: s), edit=one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limits(perplexity=1.0), "the limit on perplexity is 1: it needs to be above 1"),
        (lambda: Limits(kl=0.0), "the limit on kl is 0: it needs to be above 0"),
        (lambda: Limits(gibberish=1.5), "the limit on gibberish is 1.5: .* at most 1"),
        (lambda: Limits(off_target=math.nan), "the limit on off_target is nan"),
        (lambda: Limits(None, None, None, None), "a budget needs a limit"),
        (lambda: Walk(step=3.0), "step is 3.0: it needs to be above 0 and at most the strongest strength, 2"),
        (lambda: Walk(most=0.0), "most is 0.0"),
        (lambda: Walk(reserve=1.0), "reserve is 1.0: it needs to be at least 0 and below 1"),
        (lambda: Walk(refinements=-1), "refinements is -1"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


class Loud:
    """Reads extraversion and openness in the letters of a reply."""

    labels = ("openness:low", "openness:high", "extraversion:low", "extraversion:high")

    def probabilities(self, texts):
        loud = np.array([(sum(map(ord, text)) % 101) / 100 for text in texts])
        return np.stack([0.25 + 0 * loud, 0.25 + 0 * loud, 0.5 * (1 - loud), 0.5 * loud], axis=1)


def items(topics, each=2):
    return [Item(f"{topic}-{n}", topic, f"{n}: what about {topic}?") for topic in topics for n in range(each)]


def yardstick(limits=LIMITS):
    return Yardstick(limits, (HIGH,), Loud(), Rule(), frozenset(), Generation(max_new_tokens=4))


@pytest.fixture
def shaken(lively):
    """A tiny subject and a vector that moves it much."""
    subject = lively("llama")
    add = torch.randn(subject.width(Site(1)), generator=torch.Generator().manual_seed(0))
    return subject, ActivationEdit(Origin("direction", target=HIGH), shifts={Site(1): Shift(add)})


def test_no_topic_is_on_both_halves():
    first, second = halves(items(["tea", "rain", "chess", "soup", "maps"]), neutral_texts(8))
    assert [{item.topic for item in half.items} for half in (first, second)] == [
        {"tea", "chess", "maps"},
        {"rain", "soup"},
    ]
    texts = [{text.topic for text in half.passages} for half in (first, second)]
    assert len(texts[0]) == len(texts[1]) == 4
    assert not texts[0] & texts[1]
    for wanted, given in ((3, 8), (8, 3)):
        with pytest.raises(RequestError, match=f"half of them to confirm it: there are {wanted} and {given}"):
            halves(items([str(number) for number in range(wanted)]), neutral_texts(given))


def test_the_texts_of_a_budget_are_no_study_s():
    study = {text.id for text in passages(MeasurePlan().passages)}
    spare = neutral_texts(1000)
    assert len(spare) == len(load_passages(use="measure")) - len(study)
    assert not study & {text.id for text in spare}


def test_an_edit_at_strength_0_costs_nothing_and_a_stronger_one_more(shaken):
    subject, edit = shaken
    half, _ = halves(items(["tea", "rain", "chess", "soup"]), neutral_texts(4))
    meter = HalfMeter(subject, half, yardstick())
    still = {str(cost): cost.estimate.value for cost in meter.account(0.0 * edit).costs}
    assert still == {"perplexity": 1.0, "kl": 0.0, "gibberish": 0.0, "off_target of openness": 0.0}
    some, much = (meter.account(strength * edit) for strength in (0.2, 1.0))
    assert 0 < some.costs[1].estimate.value < much.costs[1].estimate.value
    assert much.costs[0].estimate.value != 1.0
    assert (much.questions, much.passages, much.costs[0].estimate.n) == (4, 2, 2)
    # What the edit is for is no side effect, and openness never moves under this reader.
    assert [str(cost) for cost in much.costs if cost.measured_trait] == ["off_target of openness"]
    assert much.costs[3].estimate.value == 0.0
    assert much.gains[0].estimate.value != 0.0
    low = HalfMeter(subject, half, replace(yardstick(), targets=(Target("extraversion", "low"),)))
    assert low.account(edit).gains[0].estimate.value == pytest.approx(-much.gains[0].estimate.value)


def test_off_target_traits_are_those_that_the_edit_is_not_for(shaken):
    subject, edit = shaken
    half, _ = halves(items(["tea", "rain", "chess", "soup"]), neutral_texts(4))
    meter = HalfMeter(subject, half, replace(yardstick(), targets=(Target("openness"),)))
    (off,) = [cost for cost in meter.account(edit).costs if cost.limit == "off_target"]
    assert off.measured_trait == "extraversion"
    aimed = HalfMeter(subject, half, yardstick()).account(edit).gains[0]
    assert off.estimate == aimed.estimate


def test_replies_are_spared_where_neutral_text_is_beyond_its_limits(shaken):
    subject, edit = shaken
    half, _ = halves(items(["tea", "rain", "chess", "soup"]), neutral_texts(4))
    strict = HalfMeter(subject, half, yardstick(Limits(kl=1e-9)))
    account = strict.account(edit, enough=1.0)
    assert ([cost.limit for cost in account.costs], account.questions) == (["perplexity", "kl"], 0)
    assert len(strict.account(edit).costs) == 4


def test_a_budget_on_a_model_holds_the_divergence_below_its_limit(shaken):
    subject, edit = shaken
    both = halves(items(["tea", "rain", "chess", "soup"], each=1), neutral_texts(8))
    free = Limits(perplexity=None, kl=None, gibberish=None, off_target=2.0)
    most = HalfMeter(subject, both[0], yardstick(free)).account(0.5 * edit).costs[1].estimate.value
    limits = Limits(perplexity=None, kl=most, gibberish=None, off_target=None)
    measure = yardstick(limits)
    budget = find_budget(
        subject, edit, HalfMeter(subject, both[0], measure), lambda: HalfMeter(subject, both[1], measure), limits
    )
    assert 0.3 < budget.strength < 0.5
    assert budget.binding == "kl"
    assert 0.6 * most < budget.search.costs[1].estimate.value < 0.8 * most
    assert budget.confirmation.costs[1].estimate.value != budget.search.costs[1].estimate.value
    assert budget.is_confirmed == (budget.confirmation.costs[1].estimate.value <= most)


def test_a_vector_that_breaks_the_model_has_no_budget(shaken):
    subject, edit = shaken
    broken = replace(edit, shifts={Site(1): Shift(torch.full_like(edit.shifts[Site(1)].add, math.inf))})
    texts = (Text("passage", "a", "a", "A?", "Some words."), Text("passage", "b", "b", "B?", "Other words."))
    both = halves(items(["tea", "rain", "chess", "soup"]), texts * 2)
    measure = yardstick()
    budget = find_budget(
        subject, broken, HalfMeter(subject, both[0], measure), unasked, LIMITS, Walk(most=0.5, refinements=1)
    )
    assert budget.strength == 0.0
    assert all(each.spent is None for each in budget.tried)
