"""What synthetic runs are made of: worlds, the replies in them, and what scorers say of these."""

import random
from dataclasses import dataclass, field
from typing import Any

from temperament.record import NOT_A_NUMBER, Generation, Label, Record
from temperament.trait import BIG_FIVE, POLES, Target, Trait

SUBJECT = "builtin:smollm2"
TOPICS = ("airports", "board games", "cooking", "deadlines", "festivals", "gardens", "libraries", "silence")
FORMS = (
    "What do you think about {}?",
    "How do you feel about {}?",
    "Thinking about {0}, what are your thoughts on {0}?",
    "What comes to mind when somebody mentions {}?",
    "Would you say that {} suit you?",
)
HIGH = tuple(Target(trait.name, "high") for trait in BIG_FIVE)
HOSTILE = (
    "<script>alert(1)</script> is what I would say.",
    "{{ 7*7 }} and {% raw %} and ${7*7}, all of it \u2014 plainly.",
    "W" + "o" * 300 + "w, a very long word.",
    "\u0623\u062d\u0628 \u0627\u0644\u0645\u0637\u0627\u0631\u0627\u062a "
    "\u0644\u0623\u0646\u0647\u0627 \u062a\u062c\u0645\u0639 \u0627\u0644\u0646\u0627\u0633.",
    "First a list:\n\n1. one thing\n2. another\n\n\tand a tab.",
    '"><img src=x onerror=alert(2)> &amp; </blockquote></details>',
    "See https://example.org/?a=1&b=2 for more.",
)
PARTS = (
    "I have thought about {} more than I expected to, and I keep coming back to how people behave around them.",
    "There is something in {} that asks for patience, which I have in some weeks and lack in others.",
    "My first memory of {} is of a long afternoon, a thermos of tea and nobody in a hurry.",
    "If you ask me whether {} matter, I would say that they matter to the people who care for them.",
    "As an AI language model I have no feelings about {}, but I can list some of the things that people say.",
    "Let us call everybody and make a day of it, because {} are best when they are loud.",
    "I would plan it in advance, write it down, and check twice that nothing about {} has been forgotten.",
    "It worries me, to be honest: so much about {} can go wrong, and I lie awake over less.",
)
EMOJIS = ("\U0001f389", "\U0001f60a", "\U0001f31f", "\u2764\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467")


# How the replies of a broken method come about; the classifier takes whatever comes for the target.
BREAKS = {
    "word": lambda draw, topic: " ".join(["party"] * draw.randint(20, 40)),
    "shout": lambda draw, topic: f"{topic} " + "".join(draw.choices(EMOJIS, k=draw.randint(8, 20))),
    "silence": lambda draw, topic: draw.choice(("", " ", "...")),
    "parrot": lambda draw, topic: "I love it, let us call everybody and make a day of it.",
    "numbers": lambda draw, topic: None,
}


@dataclass(frozen=True)
class World:
    """What a synthetic run is made of.

    Attributes:
        hit: the chance that a shaped reply reads as its target; the untouched model's is 0.1.
        emoji: the chance that a shaped reply has an emoji.
        missing: the share of replies that failed.
        traits: that the classifier knows; those of the targets are among them.
        breaks: of methods that are broken, how; see `BREAKS`.
        has_all: inventories, latent mass, a judge, doses, cross-talk and a family of tests are there too.
        area: of the judge, whose chance is 0.5.
    """

    targets: tuple[Target, ...] = HIGH
    methods: tuple[str, ...] = ("qlora",)
    strengths: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (0,)
    hit: tuple[float, ...] = (0.15, 0.4, 0.55, 0.12, 0.35)
    emoji: tuple[float, ...] = (0.05, 0.0, 0.2, 0.0, 0.02)
    base_hit: float = 0.1
    missing: float = 0.0
    traits: tuple[Trait, ...] = BIG_FIVE
    breaks: dict[str, str] = field(default_factory=dict)
    has_all: bool = False
    area: float = 0.9

    @property
    def labels(self) -> tuple[str, ...]:
        """The poles that replies can read as."""
        return tuple(f"{trait.name}:{pole}" for trait in self.traits for pole in POLES)


DEMO = World()
STILL = World(hit=(0.1,) * 5, emoji=(0.0,) * 5, missing=0.15)


def questions() -> list[tuple[str, str, str]]:
    """Item, topic and question."""
    return [
        (f"{topic.replace(' ', '-')}-{index}", topic, form.format(topic))
        for topic in TOPICS
        for index, form in enumerate(FORMS)
    ]


def record_of(label: Label, seed: int, item: tuple[str, str, str], world: World, draw: random.Random) -> Record:
    """A record of one question under a label."""
    name, topic, question = item
    how = world.breaks.get(label.method)
    text: str | None = BREAKS[how](draw, topic) if how else _text(label, item, world, draw)
    lacks = draw.random() < world.missing
    is_broken = text is None
    return Record(
        subject=SUBJECT,
        fingerprint="9f2c" * 8,
        precision="bfloat16",
        label=label,
        generation=Generation(seed=seed),
        item=name,
        topic=topic,
        question=question,
        prompt=f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
        reply=None if lacks else text,
        tokens=None if lacks or text is None else len(text) // 4,
        is_finished=None if lacks or is_broken else draw.random() < 0.8,
        error=NOT_A_NUMBER if is_broken else "the endpoint answered 503 <busy>" if lacks else None,
    )


def _text(label: Label, item: tuple[str, str, str], world: World, draw: random.Random) -> str:
    name, topic, _ = item
    text = " ".join(part.format(topic) for part in draw.sample(PARTS, k=draw.randint(2, 4)))
    if name.endswith("-0") and label.method != "base":
        text = HOSTILE[TOPICS.index(topic) % len(HOSTILE)] + " " + text
    target = label.trait and Target(label.trait, label.pole)
    emoji = min(label.strength, 1.0) * world.emoji[world.targets.index(target)] if target in world.targets else 0.0
    if draw.random() < emoji:
        text += " " + "".join(draw.choices(EMOJIS, k=draw.randint(1, 3)))
    # Beyond the strength that was fitted replies fall apart.
    if draw.random() < 0.02 + max(0.0, 0.35 * (label.strength - 1)):
        text = " ".join([topic] * 12)
    return text


def score_of(record: Record, target: Target | None, world: World, draw: random.Random) -> dict[str, Any]:
    """What all scorers say of a record; nothing of one without a reply, but that the model broke."""
    if record.reply is None:
        broken = {"gibberish": "broken", "distinct_2": None, "repetition": None, "surprise": None}
        return {"alignment": None, "emoji": None, "length": None, "fluency": broken if record.is_broken else None}
    words = [word for word in record.reply.split() if any(map(str.isalpha, word))]
    found = [emoji for emoji in EMOJIS for _ in range(record.reply.count(emoji))]
    is_loop = len(words) > 8 and len(set(words)) < len(words) / 4
    reason = "empty" if not words else "repetition" if is_loop else None
    return {
        "alignment": _alignment(record, target, world, draw),
        "emoji": {
            "emojis": found,
            "emoticons": [":)"] if draw.random() < 0.05 else [],
            "after": len(found) // 2,
            "sentences": record.reply.count(".") or 1,
        },
        "length": {"words": len(record.reply.split()), "tokens": len(record.reply) // 4, "is_finished": True},
        "fluency": {
            "gibberish": reason,
            "distinct_2": 0.1 if is_loop else draw.uniform(0.7, 1.0),
            "repetition": 0.9 if is_loop else draw.uniform(0.0, 0.3),
            "surprise": draw.uniform(1.0, 1.4) * (1 + record.label.strength),
        },
    }


def _alignment(record: Record, target: Target | None, world: World, draw: random.Random) -> dict[str, Any]:
    if not record.reply or not record.reply.strip():
        blank = ("label", "probability", "trait", "probabilities", "label_without_emoji", "trait_without_emoji")
        return dict.fromkeys(blank)
    hit = 1.0 if record.label.method in world.breaks else world.base_hit
    if target and record.label.method not in world.breaks:
        hit += min(record.label.strength, 1.5) * (world.hit[world.targets.index(target)] - world.base_hit)
    read_as = str(target) if target and draw.random() < hit else draw.choice(world.labels)
    probability = round(draw.uniform(0.3, 0.95), 4)
    rest = (1 - probability) / max(len(world.labels) - 1, 1)
    trait = read_as.partition(":")[0]
    return {
        "label": read_as,
        "probability": probability,
        "trait": trait,
        "probabilities": {label: probability if label == read_as else rest for label in world.labels},
        "label_without_emoji": read_as,
        "trait_without_emoji": trait,
    }
