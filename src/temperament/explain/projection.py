"""What changed units write: through the final norm to the vocabulary, beside random units of the same sites."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from temperament.activation.forcing import applied
from temperament.edit.base import Edit
from temperament.explain.emoji_token import EmojiTokens, emoji_tokens, piece_of
from temperament.explain.finding import Change, Dot, Firing, ProjectionFinding, Unit, Writing
from temperament.explain.firing import fired
from temperament.explain.logit_lens import LogitLens, output_vectors, site_scores
from temperament.explain.text import Text
from temperament.stats import Estimate, average
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject

# Random numbers in memory at a time.
DRAWN = 1 << 21
# Of sums of the same numbers in another order.
ROUNDING = 1e-9

Scores = Mapping[Site, NDArray[np.float64]]


@dataclass(frozen=True)
class ProjectionLens:
    """What units write towards when they are active, by the logit lens (`LogitLens`), under the edit.

    The emoji score of a unit is the mean standardised logit that it gives to the tokens that begin an emoji
    (`EmojiTokens.beginnings`: certain ones and shared leads).

    A unit of a gate is multiplied with the up projection before its column is written, and that has a sign of its own:
    the column is taken in the direction in which it goes, on the whole, where the unit fires on the texts. The same is
    done for all units of the site, so ranks and random sets have no other rule.

    The interval of the mean is over layers, for units of a layer are no independent observations; of units of one layer
    it is withheld.

    Attributes:
        writings: of as many changed units, in the order that they are given in.
        fires: of these, the first ones have texts on which they fire.
        pieces: heaviest and lightest ones that are named.
        sequences: emojis that are named.
        texts: on which a unit fires.

    Source: Geva et al. 2022, arXiv 2203.14680.
    Departs: the sign of the up projection, which that work's models do not have.
    """

    writings: int = 40
    fires: int = 12
    pieces: int = 10
    sequences: int = 5
    texts: int = 3

    def look(
        self,
        subject: OpenSubject,
        edit: Edit | None,
        changes: Sequence[Change],
        texts: Sequence[Text],
        seed: int = 0,
        draws: int = 999,
        progress: Progress | None = None,
    ) -> ProjectionFinding:
        """What the changed units write, and whether they write emojis more than random units of their sites.

        Args:
            subject: untouched; the edit is applied and taken away here.
            edit: that changed the units; None looks at the subject as it is.
            changes: of the units; the sign of ``effect`` is the direction of each.
            texts: on which they fire.
            seed: of the interval and of the random sets.
            draws: random sets, each of as many units of each site, in the same directions.
            progress: is told texts that were read, of all.

        Raises:
            RequestError: no token of the vocabulary begins an emoji.
        """
        scores, writings = self._written(subject, edit, changes, texts, progress)
        values = [_direction(change) * float(scores[change.unit.site][change.unit.number]) for change in changes]
        if not values:
            return ProjectionFinding((), Estimate(None, None, None, 0), (), None)
        matched = matched_means(scores, changes, draws, seed)
        # Units of a layer read and write alike: they are no independent observations.
        estimate = average(values, [str(change.unit.layer) for change in changes], seed)
        larger = int((matched >= float(np.mean(values)) - ROUNDING).sum())
        return ProjectionFinding(tuple(writings), estimate, tuple(matched.tolist()), (larger + 1) / (draws + 1))

    def writings_of(
        self, subject: OpenSubject, edit: Edit | None, units: Sequence[Change | Dot], texts: Sequence[Text]
    ) -> tuple[Writing, ...]:
        """What single units write, without a word on all of them; arguments and errors as of `look`."""
        return tuple(self._written(subject, edit, units, texts, None)[1])

    def _written(
        self,
        subject: OpenSubject,
        edit: Edit | None,
        changes: Sequence[Change | Dot],
        texts: Sequence[Text],
        progress: Progress | None,
    ) -> tuple[Scores, list[Writing]]:
        """The scores of all units of the sites, and what the first of the changed units write."""
        tokens, lens = emoji_tokens(subject), LogitLens(subject)
        shown = changes[: self.writings]
        directions = {change.unit: _direction(change) for change in shown[: self.fires]}
        sites = sorted({change.unit.site for change in changes})
        # Not ``inference_mode``: what an edit makes of its factors here may be differentiated by others.
        with torch.no_grad(), applied(edit, subject):
            seen = fired(subject, texts, sites, directions, tokens.spelled, self.texts, progress)
            scores = {
                site: (seen.signs.get(site, 1.0) * site_scores(lens, site, tokens.beginnings)).cpu().numpy()
                for site in sites
            }
            signs = {change.unit: _sign(seen.signs, change.unit) for change in shown}
            sheet = _Sheet(self, lens, tokens, scores)
            return scores, [sheet.writing(unit, sign, seen.texts.get(unit, ())) for unit, sign in signs.items()]


def matched_means(scores: Scores, changes: Sequence[Change], draws: int, seed: int) -> NDArray[np.float64]:
    """The mean signed score of random units, as many of each site as changed there, in the same directions.

    Units are drawn from all of a site, the changed ones among them, each once in a draw.

    Args:
        scores: of all units, by site.
        changes: whose sites and directions count.
        draws: how many means.
        seed: of the draws.
    """
    directions: dict[Site, list[float]] = defaultdict(list)
    for change in changes:
        directions[change.unit.site].append(_direction(change))
    random, total = np.random.default_rng(seed), np.zeros(draws)
    for site in sorted(directions):
        values, ways = scores[site], np.array(directions[site])
        step = max(1, DRAWN // values.size)
        for start in range(0, draws, step):
            keys = random.random((min(step, draws - start), values.size))
            # A random order of a site; its first units are the draw.
            chosen = np.argpartition(keys, ways.size - 1, axis=1)[:, : ways.size]
            total[start : start + step] += values[chosen] @ ways
    return total / len(changes)


class _Sheet:
    """Writes down what units write."""

    def __init__(self, settings: ProjectionLens, lens: LogitLens, tokens: EmojiTokens, scores: Scores) -> None:
        self.settings = settings
        self.lens = lens
        self.tokens = tokens
        self.scores = scores
        device = lens.subject.device
        self._named = torch.tensor(
            [number for number, written in enumerate(tokens.spelled) if written], dtype=torch.long, device=device
        )
        # All tokens of all emojis in one row, and which emoji each is of.
        owners = [number for number, (_, own) in enumerate(tokens.sequences) for _ in own]
        flat = [token for _, own in tokens.sequences for token in own]
        self._owners = torch.tensor(owners, dtype=torch.long, device=device)
        self._flat = torch.tensor(flat, dtype=torch.long, device=device)
        self._lengths = torch.tensor([float(count) for _, count in sorted(Counter(owners).items())], device=device)

    def writing(self, unit: Unit, sign: float, fires: tuple[Firing, ...]) -> Writing:
        """Of one unit, whose vector is taken in the direction of a sign."""
        scores = self.scores[unit.site]
        own = scores[unit.number]
        logits = sign * self.lens.logits(output_vectors(self.lens.subject, unit.site, [unit.number])[0])
        return Writing(
            unit=unit,
            towards=self._pieces(logits),
            away=self._pieces(-logits),
            emoji=float(own),
            rank=float((scores <= own + ROUNDING).mean()),
            sequences=self._sequences(logits),
            fires=fires,
        )

    def _pieces(self, logits: Float[Tensor, " vocab"]) -> tuple[str, ...]:
        named = logits[self._named]
        top = named.topk(min(self.settings.pieces, len(named)))
        if not bool(logits.any()):
            return ()
        return tuple(piece_of(token, self.tokens.spelled) for token in self._named[top.indices].tolist())

    def _sequences(self, logits: Float[Tensor, " vocab"]) -> tuple[tuple[str, float], ...]:
        means = torch.zeros_like(self._lengths).index_add(0, self._owners, logits[self._flat]) / self._lengths
        top = means.topk(min(self.settings.sequences, len(means)))
        if not bool(logits.any()):
            return ()
        return tuple(
            (self.tokens.sequences[number][0], value)
            for value, number in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        )


def _direction(change: Change | Dot) -> float:
    return 1.0 if change.effect > 0 else -1.0


def _sign(signs: Mapping[Site, Tensor], unit: Unit) -> float:
    of_site = signs.get(unit.site)
    return 1.0 if of_site is None else float(of_site[unit.number])
