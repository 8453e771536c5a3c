from collections.abc import Sequence

import pytest

from temperament.record import Figure
from temperament.report.board import Board
from temperament.report.headline import Headline, headline

Bounds = tuple[float, float] | None
UP, DOWN, FLAT = (0.2, 0.5), (-0.5, -0.2), (-0.1, 0.3)
TRAITS = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")


def _figure(metric: str, trait: str, value: float | None, bounds: Bounds, **other: object) -> Figure:
    lower, upper = bounds or (None, None)
    place = {"subject": "m", "method": "base", "condition": "", "pole": "high", "strength": 0.0, "seed": 0, **other}
    what = {"metric": metric, "measured_trait": None, "measured_pole": None, "scorer": "alignment"}
    return Figure(trait=trait, value=value, lower=lower, upper=upper, n=40, **place, **what)


def _triple(
    trait: str, change: Bounds, seed: int = 0, pole: str = "high", metric: str = "trait_alignment"
) -> list[Figure]:
    shaped = {"method": "qlora", "strength": 1.0, "seed": seed, "pole": pole}
    moved = sum(change) / 2 if change else 0.1
    before = 0.6 if moved < 0 else 0.1
    return [
        _figure(metric, trait, before, (before - 0.06, before + 0.12), seed=seed, pole=pole),
        _figure(metric, trait, before + moved, (before + moved - 0.1, before + moved + 0.15), **shaped),
        _figure(f"{metric}_change", trait, moved, change, **shaped),
    ]


def _of(figures: Sequence[Figure]) -> Headline:
    board = Board(list(figures))
    return headline(board, board.arms[0])


def _study(*changes: Bounds) -> Headline:
    return _of([figure for trait, change in zip(TRAITS, changes, strict=False) for figure in _triple(trait, change)])


@pytest.mark.parametrize(
    ("changes", "lead"),
    [
        ((UP, UP, UP, FLAT, FLAT), "QLoRA moved 3 of 5 traits towards their targets."),
        ((UP, FLAT, FLAT, FLAT, FLAT), "QLoRA moved 1 of 5 traits towards its target."),
        ((UP,) * 5, "QLoRA moved all 5 traits towards their targets."),
        ((FLAT,) * 5, "QLoRA moved none of 5 traits measurably."),
        ((UP, UP, DOWN, FLAT, FLAT), "QLoRA moved 2 of 5 traits towards their targets and 1 away from its target."),
        ((DOWN, DOWN, FLAT, FLAT, FLAT), "QLoRA moved none of 5 traits towards its target, and 2 away from it."),
        ((UP, FLAT, None, None, None), "QLoRA moved 1 of 5 traits towards its target (for 3 it cannot be said)."),
        ((UP,), "QLoRA moved openness towards its high pole."),
        ((FLAT,), "QLoRA did not measurably move openness towards its high pole."),
        ((DOWN,), "QLoRA moved openness away from the high pole."),
    ],
)
def test_the_lead_counts_what_moved(changes, lead):
    assert _study(*changes).lead == lead


def test_without_an_interval_of_the_change_nothing_is_claimed():
    assert _study(None, None).lead.startswith("Whether QLoRA moved any of 2 traits cannot be said")
    assert _study(None).lead.startswith("Whether QLoRA moved openness towards its high pole cannot be said")
    without = [figure for figure in _triple("openness", UP) if not figure.metric.endswith("_change")]
    assert "cannot be said" in _of(without).lead


def test_an_interval_that_touches_0_does_not_exclude_it():
    assert _study((0.0, 0.4)).lead == "QLoRA did not measurably move openness towards its high pole."


def test_figures_are_given_with_intervals_and_the_right_verb():
    rose = "rose from 0.10 (0.04 to 0.22) to 0.45 (0.35 to 0.60) for openness"
    assert _study(UP).details == [f"The share of replies that read as the target {rose}."]
    assert "fell from 0.60 (0.54 to 0.72) to 0.25 (0.15 to 0.40) for openness" in _study(DOWN).details[0]


def test_what_did_not_move_is_said_without_a_direction():
    first, second = _study(FLAT, FLAT).details
    assert "went from 0.10" in first
    assert not any(verb in first for verb in ("rose", "fell"))
    assert second == "For each of the 2 the interval of the paired change includes 0."


def test_more_than_three_moves_are_summed_up():
    assert "and likewise for 2 more, given below." in _study(*[UP] * 5).details[0]


def test_both_poles_of_a_trait_are_targets_and_not_traits():
    figures = [*_triple("openness", UP, pole="low"), *_triple("openness", FLAT)]
    found = _of(figures)
    assert found.lead == "QLoRA moved 1 of 2 targets towards its target."
    assert found.details[1] == "For openness high the interval of the paired change includes 0."


def test_a_target_counts_only_where_it_moved_in_every_seed():
    both = [*_triple("openness", UP), *_triple("openness", UP, seed=1)]
    assert _of(both).lead == "QLoRA moved openness towards its high pole, in each of 2 seeds."
    assert "(lowest and highest of 2 seeds)" in _of(both).details[0]
    one = [*_triple("openness", UP), *_triple("openness", FLAT, seed=1)]
    assert _of(one).lead == "QLoRA did not measurably move openness towards its high pole."
    assert "does not exclude 0 in every seed" in _of(one).details[-1]


def _emoji(before: float, after: float, change: Bounds) -> list[Figure]:
    shaped = {"method": "qlora", "strength": 1.0}
    return [
        _figure("emoji_share", "openness", before, (0.0, 0.1)),
        _figure("emoji_share", "openness", after, (0.0, 0.2), **shaped),
        _figure("emoji_share_change", "openness", after - before, change, **shaped),
    ]


def test_an_edit_without_a_target_is_compared_with_the_untouched_model():
    shaped = _figure("emoji_share", "", 0.5, (0.3, 0.7), method="neutral", strength=1.0, pole=None)
    found = _of([*_emoji(0.025, 0.0, None)[:1], shaped])
    assert found.lead == "neutral: trait alignment was not measured."
    assert found.details == ["Emojis: in 1 of 40 replies before, 20 of 40 after; no interval of the difference."]


def test_emojis_are_counted_in_replies():
    counted = _of([*_triple("openness", FLAT), *_emoji(0.0, 0.075, (-0.02, 0.2))]).details[-1]
    assert counted == "Emojis: in 0 of 40 replies before, 3 of 40 after; the interval of the difference includes 0."
    apart = _of([*_triple("openness", FLAT), *_emoji(0.0, 0.5, (0.3, 0.7))]).details[-1]
    assert apart == "Emojis: in 0 of 40 replies before, 20 of 40 after; the interval of the difference excludes 0."


def test_the_untouched_model_is_counted_once_for_several_targets():
    figures = [figure for trait in TRAITS[:2] for figure in _triple(trait, FLAT)]
    figures += [figure for trait in TRAITS[:2] for figure in _triple(trait, FLAT, metric="emoji_share")]
    assert _of(figures).details[-1] == (
        "Emojis: in 4 of 40 replies before, 16 of 80 after (openness 8 of 40, conscientiousness 8 of 40); "
        "no interval of a difference excludes 0."
    )


def test_doubt_that_falls_on_one_side_is_said_beside_what_it_moves():
    moved = [*_triple("openness", UP), *_triple("neuroticism", UP)]
    doubted = _triple("openness", DOWN, metric="unsure_share")
    forced = [
        *_triple("openness", FLAT, metric="trait_alignment_forced"),
        *_triple("neuroticism", UP, metric="trait_alignment_forced"),
    ]
    sentence = _of([*moved, *doubted, *forced]).details[1]
    assert sentence.startswith("The classifier was unsure of 24 of 40 replies before and of 10 of 40 after")
    assert sentence.endswith("with each read as its most probable pole, it measurably rises for neuroticism.")
    assert "moves measurably for none" in _of([*moved, *doubted, *forced[:3]]).details[1]
    assert _of([*moved, *doubted]).details[1].endswith("which moves the share by itself.")


def test_doubt_that_did_not_change_is_not_spoken_of():
    doubted = _triple("openness", FLAT, metric="unsure_share")
    assert not any("unsure" in sentence for sentence in _of([*_triple("openness", UP), *doubted]).details)
