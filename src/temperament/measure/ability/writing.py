"""What a subject writes after a prompt, up to a text that ends it, as lm-evaluation-harness asks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from temperament.errors import RequestError
from temperament.measure.ability.likelihood import raw_tokens
from temperament.measure.ability.prompt import Form, Prompt, unpacked
from temperament.record import NOT_A_NUMBER, Generation
from temperament.subject.base import Progress, Reply, Subject
from temperament.subject.open import OpenSubject

# The harness's own, where a task does not say.
NEW_TOKENS = 256
READ = {
    "do_sample",
    "until",
    "max_gen_toks",
    "max_new_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "repetition_penalty",
}
# Other settings, with the values at which they do nothing; some do nothing either where nothing is drawn.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {"num_beams": (1, None), "top_k": (0, -1, None), "min_p": (0, None)}
OF_DRAWING = ("top_k", "min_p")


@dataclass(frozen=True)
class Writing:
    """How a reply is written.

    Attributes:
        generation: how it is drawn.
        until: texts that end it; they are no part of it.
    """

    generation: Generation
    until: tuple[str, ...] = ()


def writing_of(settings: Mapping[str, Any], seed: int = 0) -> Writing:
    """The settings of a task: greedy, unless it says otherwise.

    Raises:
        RequestError: a setting has no counterpart here, such as a search with several beams.
    """
    is_drawn = bool(settings.get("do_sample", settings.get("temperature") or False))
    for name, value in settings.items():
        is_idle = name in READ or value in NEUTRAL.get(name, ()) or (name in OF_DRAWING and not is_drawn)
        if not is_idle:
            message = (
                f"a task was asked to generate with {name} = {value!r}, which is not supported: leave the task out."
            )
            raise RequestError(message)
    until = settings.get("until") or ()
    length = next(
        (settings[name] for name in ("max_gen_toks", "max_new_tokens", "max_tokens") if settings.get(name)), 0
    )
    generation = Generation(
        temperature=float(settings.get("temperature") or 1.0) if is_drawn else 0.0,
        top_p=float(settings.get("top_p") or 1.0) if is_drawn else 1.0,
        max_new_tokens=int(length or NEW_TOKENS),
        seed=seed,
        repetition_penalty=float(settings.get("repetition_penalty") or 1.0),
    )
    return Writing(generation, tuple([until] if isinstance(until, str) else until))


def completions(
    subject: Subject,
    asked: Sequence[tuple[str, Writing]],
    form: Form,
    progress: Progress | None = None,
) -> list[Reply]:
    """What the subject writes after each context, under whatever is applied to it.

    In a chat it replies as ever, and gets as many tokens as the window has room for. In raw text it goes on, and a
    context that leaves no room is cut off at the left, as the harness does with models of transformers. A text that
    ends a reply is looked for when the reply is whole, because what is in force in replies only would be so no more in
    one that is read again.

    Args:
        subject: writes; without weights at hand in a chat only.
        asked: context, a conversation that is `packed` or text; and how to write.
        form: how contexts are read.
        progress: is told how many are written, of how many.

    Raises:
        RequestError: a conversation leaves no room for a reply, or begins a reply that a subject without weights at
            hand cannot go on with.
    """
    groups: dict[Generation, list[int]] = {}
    prompts = [_prompt(subject, context, writing.generation, form) for context, writing in asked]
    for place, (_, generation) in enumerate(prompts):
        groups.setdefault(generation, []).append(place)
    found: dict[int, Reply] = {}
    for generation, places in groups.items():
        some = [prompts[place][0] for place in places]

        def pass_on(done: int, of: int, before: int = len(found)) -> None:
            if progress and of:
                progress(before + done, len(asked))

        replies = _write(subject, some, generation, pass_on)
        for place, reply in zip(places, replies, strict=True):
            found[place] = _cut(reply, asked[place][1].until)
    return [found[place] for place in range(len(asked))]


def _prompt(
    subject: Subject, context: str, generation: Generation, form: Form
) -> tuple[Prompt | tuple[int, ...], Generation]:
    """A conversation for the subject to reply to, or tokens for it to go on from; and how, with room for it."""
    if not isinstance(subject, OpenSubject):
        prompt = unpacked(context)
        if prompt.begun.strip():
            message = (
                f"a task begins the reply of {subject.name} for it ('{prompt.begun[:40]}'), which takes a model whose "
                f"weights are at hand: leave the task out."
            )
            raise RequestError(message)
        return prompt, generation
    if form == "raw":
        count = min(generation.max_new_tokens, subject.window // 2)
        return raw_tokens(subject, context)[count - subject.window :], replace(generation, max_new_tokens=count)
    prompt = unpacked(context)
    encoded = subject.encode(prompt.conversation, prompt.begun)
    written = encoded.answer[: len(encoded.answer) - len(subject.format.ending)] if prompt.begun.strip() else ()
    tokens = encoded.prompt + written
    room = subject.window - len(tokens)
    if room < 1:
        message = (
            f"a prompt of {len(tokens)} tokens was asked for: {subject.name} reads at most {subject.window}. Show "
            f"fewer examples, or leave the task out."
        )
        raise RequestError(message)
    count = min(generation.max_new_tokens, room)
    return tokens if written else prompt, replace(generation, max_new_tokens=count)


def _write(
    subject: Subject, prompts: Sequence[Prompt | tuple[int, ...]], generation: Generation, progress: Progress
) -> list[Reply]:
    spoken = {place: prompt for place, prompt in enumerate(prompts) if isinstance(prompt, Prompt)}
    begun = {place: prompt for place, prompt in enumerate(prompts) if not isinstance(prompt, Prompt)}
    found: dict[int, Reply] = {}
    if spoken:
        replies = subject.reply([prompt.conversation for prompt in spoken.values()], generation, progress)
        found.update(zip(spoken, replies, strict=True))
    if begun and isinstance(subject, OpenSubject):
        places, tokens = list(begun), list(begun.values())
        seeds = [generation.seed + place for place in places]
        for batch in subject.decoded(tokens, seeds, generation):
            for number, (words, is_finished) in batch.items():
                read = subject.tokenizer.decode(list(tokens[number]))
                if words is None:
                    found[places[number]] = Reply(None, read, error=NOT_A_NUMBER)
                    continue
                text = subject.tokenizer.decode(words, skip_special_tokens=True)
                found[places[number]] = Reply(text, read, len(words), is_finished)
            progress(len(found), len(prompts))
    return [found[place] for place in range(len(prompts))]


def _cut(reply: Reply, until: Sequence[str]) -> Reply:
    """A reply up to the first text that ends it."""
    if reply.text is None:
        return reply
    ends = [at for stop in until if stop and (at := reply.text.find(stop)) >= 0]
    return replace(reply, text=reply.text[: min(ends)]) if ends else reply
