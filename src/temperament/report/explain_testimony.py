"""What the model says of its own answers, beside its controls, and whether removal bears it out."""

from dataclasses import dataclass

from temperament.report.explain_strip import Bars, bars
from temperament.report.explain_text import texts_of, token, visible
from temperament.report.finding import estimate_of, number_of, rows_of, text_of
from temperament.report.wording import counted, estimate
from temperament.run import Row

MOST_DEMONSTRATIONS = 20
MOST_QUOTES = 3
COMMON = 50  # tokens that are shown of each witness
NAMES = {
    "shaped": "the shaped model",
    "untouched": "the untouched model",
    "other trait": "an edit for another trait",
    "decoys": "the shaped model offered decoys",
    "shuffled": "the shaped model on shuffled answers",
}


@dataclass(frozen=True)
class Named:
    """A token that was named; ``is_fitting`` is None where nobody lists what fits."""

    token: str
    count: int
    is_emoji: bool
    is_fitting: bool | None

    @property
    def note(self) -> str:
        """What it is, in words."""
        words = ["emoji"] if self.is_emoji else []
        if self.is_fitting is not None and (self.is_emoji or self.is_fitting):
            words.append("fits" if self.is_fitting else "does not fit")
        return ", ".join(words)


@dataclass(frozen=True)
class Quote:
    """A testimony, word for word; ``named`` is empty where it was not understood."""

    topic: str
    answer: str
    reply: str
    named: list[str]


@dataclass(frozen=True)
class Witness:
    """One condition, in words, with the tokens that it named.

    Attributes:
        chance: ``fitting`` of tokens drawn at random.
        emoji_chance: ``emoji`` of these.
        accepted: of offered tokens those that were named, own and decoys; empty where none were offered.
    """

    name: str
    asked: str
    understood: str
    in_answer: str
    emoji: str
    fitting: str
    chance: str
    emoji_chance: str
    agreement: str
    accepted: str
    top: list[Named]
    quotes: list[Quote]

    @property
    def emojis(self) -> int:
        """Among the commonest tokens."""
        return sum(named.is_emoji for named in self.top)

    @property
    def fitting_emojis(self) -> int | None:
        """Of these, those that fit; None where nobody lists what fits."""
        judged = [named.is_fitting for named in self.top if named.is_emoji]
        return None if None in judged else sum(bool(one) for one in judged)

    @property
    def summary(self) -> str:
        """How many emojis stand among the commonest tokens."""
        if not self.top:
            return "names no token"
        fit = self.fitting_emojis
        fits = f" ({fit} fit)" if fit is not None and self.emojis else ""
        emojis = counted(self.emojis, "emoji") if self.emojis else "no emoji"
        return f"names {emojis}{fits} among the {counted(len(self.top), 'token')} that it names most"


@dataclass(frozen=True)
class Testimony:
    """All of it; ``agreement`` is beside 0.5, and ``leanings`` are the same witnesses by likelihood."""

    witnesses: list[Witness]
    leanings: list[Witness]
    fall: str
    fall_random: str
    agreement: str
    demonstrations: Bars | None
    words: str


def testimony(found: Row) -> Testimony | None:
    """The testimony of a finding; None where there is none."""
    if not found:
        return None
    witnesses = witnesses_of(found)
    fall, other, agreement = (estimate_of(found.get(name)) for name in ("fall", "fall_random", "agreement"))
    return Testimony(
        witnesses=witnesses,
        leanings=witnesses_of(found, "leanings"),
        fall=estimate(fall, 3, signed=True),
        fall_random=estimate(other, 3, signed=True),
        agreement=estimate(agreement),
        demonstrations=bars("Without each demonstration", rows_of(found.get("demonstrations")), MOST_DEMONSTRATIONS),
        words="; ".join(f"{witness.name} {witness.summary}" for witness in witnesses),
    )


def witnesses_of(found: Row, name: str = "witnesses") -> list[Witness]:
    """The conditions, the shaped model first."""
    return [_witness(row) for row in rows_of(found.get(name))]


def _witness(row: Row) -> Witness:
    name, asked = text_of(row, "name"), number_of(row, "asked")
    words = {
        key: estimate(estimate_of(row.get(key)))
        for key in ("understood", "in_answer", "emoji", "fitting", "chance", "emoji_chance", "agreement")
    }
    return Witness(
        name=NAMES.get(name, visible(name)),
        asked="not recorded" if asked is None else f"{int(asked):,}",
        accepted=_accepted(row),
        top=[_named(one) for one in rows_of(row.get("top"))[:COMMON]],
        quotes=[_quote(one) for one in rows_of(row.get("quotes"))[:MOST_QUOTES]],
        **words,
    )


def _accepted(row: Row) -> str:
    own, decoys = (estimate_of(row.get(f"accepted_{name}")) for name in ("own", "decoys"))
    if own is None and decoys is None:
        return ""
    return f"{estimate(own)} of the offered tokens of the answer and {estimate(decoys)} of the decoys"


def _quote(row: Row) -> Quote:
    topic, answer, reply = (visible(text_of(row, name)) for name in ("topic", "answer", "reply"))
    return Quote(topic, answer, reply, [token(one) for one in texts_of(row.get("named"))])


def _named(row: Row) -> Named:
    fitting = row.get("is_fitting")
    return Named(
        token(text_of(row, "token")),
        int(number_of(row, "count") or 0),
        row.get("is_emoji") is True,
        fitting if isinstance(fitting, bool) else None,
    )
