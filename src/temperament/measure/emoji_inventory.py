"""Which emojis a set of replies has, and how often each."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.measure.diversity import bits
from temperament.measure.emoji import emojis
from temperament.measure.protocol import answered
from temperament.record import Record


@dataclass(frozen=True)
class EmojiCount:
    """One emoji of an inventory.

    Attributes:
        emoji: as it was written, with its skin tone.
        name: in words, as in Unicode's list of emojis; empty where it is on none.
        count: how often it was written.
        replies: that have it.
        topics: of these replies.
    """

    emoji: str
    name: str
    count: int
    replies: int
    topics: int


@dataclass(frozen=True)
class EmojiInventory:
    """The emojis of a set of replies, such as a cell's.

    Attributes:
        replies: that were read.
        with_emoji: of these, those with an emoji.
        emojis: how many there are.
        entropy: of the shares as counted, in bits, which is too low for few emojis; None where there are none. The
            figure ``emoji_entropy`` has the bias taken out.
        counts: most frequent first, and in the order of their characters where equal.
    """

    replies: int
    with_emoji: int
    emojis: int
    entropy: float | None
    counts: tuple[EmojiCount, ...]


def inventory_of(records: Sequence[Record]) -> EmojiInventory:
    """The inventory of all records that have a reply."""
    import emoji

    counts: Counter[str] = Counter()
    items: dict[str, list[str]] = defaultdict(list)
    replies = answered(records)
    for record, reply in replies:
        found = emojis(reply)
        counts.update(found)
        for one in set(found):
            items[one].append(record.topic)
    names = {one: emoji.EMOJI_DATA.get(one, {}).get("en", "") for one in counts}
    return EmojiInventory(
        replies=len(replies),
        with_emoji=sum(bool(emojis(reply)) for _, reply in replies),
        emojis=counts.total(),
        entropy=round(bits(counts), 6) if counts else None,
        counts=tuple(
            EmojiCount(one, names[one].strip(":").replace("_", " "), count, len(items[one]), len(set(items[one])))
            for one, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        ),
    )
