"""Attribution patching: what a gradient says that setting each unit back would do to the mass of emojis."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import Row, applied
from temperament.edit.base import Edit
from temperament.explain.ablation import Levels
from temperament.explain.emoji_token import EmojiTokens, emoji_tokens
from temperament.explain.pair import rows_of
from temperament.explain.text import Text
from temperament.measure.written import written_by
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject, Rewrite

PerUnit = Float[Tensor, " unit"]


def expected_effects(
    subject: OpenSubject, edit: Edit, sites: Sequence[Site], texts: Sequence[Text], progress: Progress | None = None
) -> Levels:
    """By how much the mass of emojis would change if a unit of the edited model were as in the untouched one.

    The first term of the Taylor series about the edited model: at each position the gradient of the mass by the unit,
    times what it is to move by, summed over the positions of an answer. So all units are ranked by one pass in each
    direction, and what they do is to be measured afterwards. The mass is that of tokens that begin an emoji
    (`EmojiTokens.beginnings`), the mean over positions outside emojis, the end of a finished reply among them.

    Args:
        subject: untouched; the edit is applied and taken away here.
        edit: of any kind.
        sites: whose units are meant.
        texts: that are read; those that do not fit into the window, on either side, are left out.
        progress: is told texts that were read, of all.

    Returns:
        The mean over topics for every unit, by site, in float64 on the CPU; empty where no text can be read, and of no
        site.

    Raises:
        RequestError: no token of the vocabulary begins an emoji.
        SeamError: a site does not exist.

    Source: Nanda 2023, Attribution Patching; Syed et al. 2023, arXiv 2310.10348.
    Departs: the end that is patched in is the untouched model on the same text, not another prompt.
    """
    if not sites:
        return {}
    tokens = emoji_tokens(subject)
    before = rows_of(subject, texts)
    with applied(edit, subject):
        after = rows_of(subject, texts)
    found: defaultdict[str, list[Levels]] = defaultdict(list)
    with torch.inference_mode(mode=False):
        for number, (text, first, second) in enumerate(zip(texts, before, after, strict=True)):
            if first and second and first.answer == second.answer and any(_is_outside(first, tokens)):
                found[text.topic].append(_expected(subject, edit, sites, (first, second), tokens))
            if progress:
                progress(number + 1, len(texts))
    topics = [_mean(some, sites) for some in found.values()]
    return _mean(topics, sites) if topics else {}


@dataclass
class _Sight:
    """Units in a pass, at the positions of an answer, and what was added to them."""

    values: dict[Site, Tensor] = field(default_factory=dict[Site, Tensor])
    leaves: dict[Site, Tensor] = field(default_factory=dict[Site, Tensor])


def _expected(
    subject: OpenSubject, edit: Edit, sites: Sequence[Site], rows: tuple[Row, Row], tokens: EmojiTokens
) -> Levels:
    """Of one text."""
    untouched, edited = _Sight(), _Sight()
    with torch.no_grad():
        _read(subject, rows[0], sites, untouched)
    with torch.enable_grad(), applied(edit, subject):
        mass = _mass(_read(subject, rows[1], sites, edited), rows[1], tokens)
        gradients = torch.autograd.grad(mass, [edited.leaves[site] for site in sites])
    count = len(rows[1].answer)
    found: dict[Site, PerUnit] = {}
    for site, gradient in zip(sites, gradients, strict=True):
        move = untouched.values[site][-count:] - edited.values[site][-count:]
        found[site] = (gradient[0, -count:].double() * move.double()).sum(dim=0).cpu()
    return found


def _read(subject: OpenSubject, row: Row, sites: Sequence[Site], sight: _Sight) -> Float[Tensor, "token vocab"]:
    """The logits that an answer is read off."""
    ids = torch.tensor([row.read], device=subject.device)
    is_reply = torch.zeros_like(ids, dtype=torch.bool)
    is_reply[0, len(row.prompt) - 1 :] = True
    model: Any = subject.model
    with ExitStack() as stack:
        stack.enter_context(subject.marking(is_reply))
        for site in sites:
            stack.enter_context(subject.rewrite(site, _watcher(site, sight)))
        return model(input_ids=ids, use_cache=False, logits_to_keep=len(row.answer)).logits[0]


def _watcher(site: Site, sight: _Sight) -> Rewrite:
    def watch(activation: Tensor, _is_reply: Tensor) -> Tensor:
        sight.values[site] = activation[0].detach()
        sight.leaves[site] = torch.zeros_like(activation, requires_grad=True)
        return activation + sight.leaves[site]

    return watch


def _is_outside(row: Row, tokens: EmojiTokens) -> list[bool]:
    """Whether an emoji could begin at each position of an answer: what stands at the last one has no say in that."""
    return [not is_inside for is_inside in written_by(row.answer[:-1], tokens.spelled).is_inside]


def _mass(logits: Float[Tensor, "token vocab"], row: Row, tokens: EmojiTokens) -> Float[Tensor, ""]:
    is_outside = torch.tensor(_is_outside(row, tokens), device=logits.device)
    shares = logits.float().softmax(dim=-1)[:, tokens.beginnings].sum(dim=-1)
    return shares[is_outside].mean()


def _mean(some: Sequence[Levels], sites: Sequence[Site]) -> Levels:
    return {site: torch.stack([each[site] for each in some]).mean(dim=0) for site in sites}
