"""The headline: what the figures say, in words, and not more.

A target counts as moved only where the interval of the paired change of its trait alignment excludes 0, in every seed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from temperament.record import Figure
from temperament.report.board import Arm, Board, Goal, Pair, Verdict, by_goal, mean_value, verdict_of
from temperament.report.soundness import Level
from temperament.report.wording import hits, listed, part, span

IN_FULL = 3  # targets that the headline gives with their figures; the strips below it give all
Moves = list[tuple[Goal, list[Pair]]]


@dataclass(frozen=True)
class Headline:
    """What one arm did.

    Attributes:
        lead: one sentence: how many targets moved.
        details: sentences with the figures.
    """

    lead: str
    details: list[str]


def headline(board: Board, arm: Arm, levels: Mapping[Goal, Level] | None = None) -> Headline:
    """What one arm did to trait alignment and emojis, in sentences.

    Args:
        board: the figures.
        arm: of which it speaks.
        levels: how far the figures of each goal can be believed; goals whose replies are no answers are not counted.
    """
    levels = levels or {}
    measured = by_goal(board.pairs(arm, "trait_alignment"))
    name = board.name(arm)
    if not measured:
        return Headline(f"{name}: trait alignment was not measured.", _emoji_sentences(board, arm))
    goals = {goal: pairs for goal, pairs in measured.items() if levels.get(goal) != "void"}
    lost = len(measured) - len(goals)
    if not goals:
        what = "its target" if lost == 1 else f"any of its {lost} targets"
        return Headline(f"{name}: no effect on {what} counts, because the replies are no answers.", [])
    lead = _only(name, *next(iter(goals.items()))) if len(goals) == 1 else _several(name, goals)
    if lost:
        does = "does" if lost == 1 else "do"
        lead = f"{lead[:-1]}; {lost} more {does} not count, because the replies are no answers."
    details = [*_alignment_sentences(goals), *_doubt_sentences(board, arm, goals), *_emoji_sentences(board, arm)]
    return Headline(lead, details)


def _only(name: str, goal: Goal, pairs: list[Pair]) -> str:
    what = f"{goal.trait} towards its {goal.pole} pole"
    match verdict_of(pairs):
        case "towards":
            return f"{name} moved {what}{_in_every_seed(pairs)}."
        case "away":
            return f"{name} moved {goal.trait} away from the {goal.pole} pole{_in_every_seed(pairs)}."
        case "unclear":
            return f"{name} did not measurably move {what}."
        case _:
            return f"Whether {name} moved {what} cannot be said: the run has no interval of the paired change."


def _several(name: str, goals: dict[Goal, list[Pair]]) -> str:
    total = len(goals)
    noun = "traits" if len({goal.trait for goal in goals}) == total else "targets"
    towards, away, unknown = (len(_moved(goals, verdict)) for verdict in ("towards", "away", "unknown"))
    if unknown == total:
        asked = f"Whether {name} moved any of {total} {noun}"
        return f"{asked} cannot be said: the run has no interval of the paired change."
    seeds = _in_every_seed(next(iter(goals.values()))) if towards or away else ""
    untold = f" (for {unknown} it cannot be said)" if unknown else ""
    if not towards and not away:
        return f"{name} moved none of {total} {noun} measurably{untold}."
    target = "target" if towards == 1 else "targets"
    own = "its" if towards == 1 else "their"
    if not towards:
        return f"{name} moved none of {total} {noun} towards its target, and {away} away from it{seeds}{untold}."
    share = f"all {total}" if towards == total else f"{towards} of {total}"
    aside = f" and {away} away from {'its target' if away == 1 else 'their targets'}" if away else ""
    return f"{name} moved {share} {noun} towards {own} {target}{aside}{seeds}{untold}."


def _moved(goals: dict[Goal, list[Pair]], verdict: Verdict) -> Moves:
    return [(goal, pairs) for goal, pairs in goals.items() if verdict_of(pairs) == verdict]


def _in_every_seed(pairs: list[Pair]) -> str:
    return f", in each of {len(pairs)} seeds" if len(pairs) > 1 else ""


def _alignment_sentences(goals: dict[Goal, list[Pair]]) -> list[str]:
    towards, away = (_largest(_moved(goals, verdict)) for verdict in ("towards", "away"))
    unclear = _moved(goals, "unclear")
    sentences = [f"The share of replies that read as the target {_went(moves)}." for moves in (towards, away) if moves]
    if not towards and not away:
        some = _largest(unclear or list(goals.items()))[:1]
        most = "; this is the largest change" if len(goals) > 1 else ""
        sentences.append(f"The share of replies that read as the target {_went(some, verb='went')}{most}.")
    if unclear:
        names = listed([_name(goal, goals) for goal, _ in unclear])
        if len(unclear) == len(goals) > 1:
            names = f"each of the {len(goals)}"
        what = "includes 0" if all(len(pairs) == 1 for _, pairs in unclear) else "does not exclude 0 in every seed"
        sentences.append(f"For {names} the interval of the paired change {what}.")
    return sentences


def _doubt_sentences(board: Board, arm: Arm, goals: dict[Goal, list[Pair]]) -> list[str]:
    """Where the classifier doubts one side more than the other, which alone moves the share that it is sure of."""
    pairs = [pair for pair in board.pairs(arm, "unsure_share") if pair.goal in goals]
    if all(verdict_of(own) not in {"towards", "away"} for own in by_goal(pairs).values()):
        return []
    untouched = {pair.seed: pair.before for pair in pairs if pair.before is not None}
    before, after = _share_of(untouched.values()), _share_of(pair.after for pair in pairs if pair.after is not None)
    found = f"The classifier was unsure of {before} replies before and of {after} after"
    forced = {goal: own for goal, own in by_goal(board.pairs(arm, "trait_alignment_forced")).items() if goal in goals}
    if not forced:
        return [f"{found}, which moves the share by itself."]
    return [f"{found}, which moves the share by itself; with each read as its most probable pole, {_forced(forced)}."]


def _forced(goals: dict[Goal, list[Pair]]) -> str:
    """How the share moves where no reply may be doubted."""
    moves = {"rises": _moved(goals, "towards"), "falls": _moved(goals, "away")}
    parts = [f"{verb} for {listed([_name(goal, goals) for goal, _ in own])}" for verb, own in moves.items() if own]
    return f"it measurably {listed(parts)}" if parts else "it moves measurably for none"


def _share_of(figures: Iterable[Figure]) -> str:
    known = [figure for figure in figures if figure.value is not None]
    return f"{sum(hits(figure) or 0 for figure in known)} of {sum(figure.n for figure in known)}"


def _largest(moves: Moves) -> Moves:
    def size(move: tuple[Goal, list[Pair]]) -> float:
        return -abs(mean_value(pair.change for pair in move[1]) or 0.0)

    return sorted(moves, key=size)


def _went(moves: Moves, verb: str = "") -> str:
    parts = [
        f"{verb or _verb(pairs)} from {span([pair.before for pair in pairs])} to {span([pair.after for pair in pairs])}"
        f" for {goal.trait}{' (low)' if goal.pole == 'low' else ''}"
        for goal, pairs in moves[:IN_FULL]
    ]
    first = parts[0].split(" ", 1)[0]
    # "rose from ... for a, from ... for b": the verb is said once where it is the same.
    parts[1:] = [part.removeprefix(f"{first} ") for part in parts[1:]]
    more = len(moves) - IN_FULL
    seeds = len(moves[0][1])
    return listed([*parts, *([f"likewise for {more} more, given below"] if more > 0 else [])]) + (
        f" (lowest and highest of {seeds} seeds)" if seeds > 1 else ""
    )


def _verb(pairs: list[Pair]) -> str:
    both = [pair for pair in pairs if pair.before and pair.after and None not in (pair.before.value, pair.after.value)]
    before, after = mean_value(pair.before for pair in both), mean_value(pair.after for pair in both)
    if before is None or after is None or before == after:
        return "went"
    return "rose" if after > before else "fell"


def _name(goal: Goal, goals: dict[Goal, list[Pair]]) -> str:
    is_two_sided = len({other.trait for other in goals}) < len(goals)
    return goal.name.replace(",", "") if is_two_sided or goal.pole == "low" else goal.trait


def _emoji_sentences(board: Board, arm: Arm) -> list[str]:
    pairs = board.pairs(arm, "emoji_share")
    goals = by_goal(pairs)
    before = {
        pair.seed: pair.before for pair in reversed(pairs) if pair.before is not None and pair.before.value is not None
    }
    after = {goal: (sum(hits(pair.after) or 0 for pair in own), _n(own)) for goal, own in goals.items()}
    known = sum(pair.after is not None and pair.after.value is not None for pair in pairs)
    if not pairs or not sum(n for _, n in after.values()):
        return []
    written, asked = (sum(counts) for counts in zip(*after.values(), strict=True))
    start = f"in {sum(hits(f) or 0 for f in before.values())} of {sum(f.n for f in before.values())} replies before"
    sentence = f"Emojis: {start if before else 'not counted before'}, {written} of {asked} after"
    sentence += part(known, len(pairs), "figure")
    some = [f"{_name(goal, goals)} {count} of {n}" for goal, (count, n) in after.items() if count]
    if some and len(goals) > 1:
        sentence += f" ({', '.join(some)})"
    return [f"{sentence}{_emoji_verdict(goals)}."]


def _emoji_verdict(goals: dict[Goal, list[Pair]]) -> str:
    if any(pair.verdict == "unknown" for pairs in goals.values() for pair in pairs):
        return "" if len(goals) > 1 else "; no interval of the difference"
    apart = [_name(goal, goals) for goal, pairs in goals.items() if verdict_of(pairs) in {"towards", "away"}]
    if len(goals) == 1:
        return f"; the interval of the difference {'excludes' if apart else 'includes'} 0"
    seeds = " in every seed" if any(len(pairs) > 1 for pairs in goals.values()) else ""
    if not apart:
        return f"; no interval of a difference excludes 0{seeds}"
    return f"; the interval of the difference excludes 0{seeds} for {listed(apart)}"


def _n(pairs: list[Pair]) -> int:
    return sum(pair.after.n for pair in pairs if pair.after is not None and pair.after.value is not None)
