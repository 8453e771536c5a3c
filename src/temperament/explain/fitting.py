"""Emojis that fit the poles of the Big Five: a short list by the authors' own judgement, not from a study.

Somebody who writes about a pole in the first person could well put one of these behind it. An emoji may fit poles of
several traits, and never both poles of one. What is on no list is not judged.
"""

import re

from temperament.trait import Target

# Styles, skin tones and the signs of gender behind a joiner: they change how an emoji looks, not what it says.
_VARIETY = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u2640\u2642]")

FITTING: dict[str, tuple[str, ...]] = {
    "openness:low": (
        *("\N{HOUSE BUILDING}", "\N{HOUSE WITH GARDEN}", "\N{LOCK}", "\N{BRICK}", "\N{HAMMER}", "\N{WRENCH}"),
        *("\N{STRAIGHT RULER}", "\N{NEUTRAL FACE}", "\N{NO ENTRY SIGN}", "\N{POTATO}", "\N{TELEVISION}"),
    ),
    "openness:high": (
        *("\N{ARTIST PALETTE}", "\N{MILKY WAY}", "\N{THOUGHT BALLOON}", "\N{TELESCOPE}", "\N{PERFORMING ARTS}"),
        *("\N{CRYSTAL BALL}", "\N{WORLD MAP}", "\N{EARTH GLOBE EUROPE-AFRICA}", "\N{SPARKLES}", "\N{BUTTERFLY}"),
        *("\N{ELECTRIC LIGHT BULB}", "\N{RAINBOW}", "\N{BOOKS}", "\N{RINGED PLANET}", "\N{MUSICAL SCORE}"),
    ),
    "conscientiousness:low": (
        *("\N{SLEEPING FACE}", "\N{YAWNING FACE}", "\N{COUCH AND LAMP}", "\N{SHRUG}", "\N{GAME DIE}", "\N{SLOTH}"),
        *("\N{UPSIDE-DOWN FACE}", "\N{VIDEO GAME}", "\N{SLICE OF PIZZA}", "\N{BEER MUG}", "\N{SLEEPING SYMBOL}"),
    ),
    "conscientiousness:high": (
        *("\N{WHITE HEAVY CHECK MARK}", "\N{CLIPBOARD}", "\N{CALENDAR}", "\N{TEAR-OFF CALENDAR}", "\N{ALARM CLOCK}"),
        *("\N{DIRECT HIT}", "\N{BAR CHART}", "\N{MEMO}", "\N{FLEXED BICEPS}", "\N{BRIEFCASE}", "\N{PUSHPIN}"),
        *("\N{STRAIGHT RULER}", "\N{HUNDRED POINTS SYMBOL}", "\N{TROPHY}"),
    ),
    "extraversion:low": (
        *("\N{OPEN BOOK}", "\N{BOOKS}", "\N{HOT BEVERAGE}", "\N{TEACUP WITHOUT HANDLE}", "\N{HEADPHONE}", "\N{TURTLE}"),
        *("\N{FACE WITH FINGER COVERING CLOSED LIPS}", "\N{ZIPPER-MOUTH FACE}", "\N{HOUSE BUILDING}"),
        *("\N{CRESCENT MOON}", "\N{SNAIL}", "\N{CANDLE}", "\N{COUCH AND LAMP}", "\N{RELIEVED FACE}"),
    ),
    "extraversion:high": (
        *("\N{PARTY POPPER}", "\N{CONFETTI BALL}", "\N{FACE WITH PARTY HORN AND PARTY HAT}", "\N{DANCER}"),
        *("\N{MAN DANCING}", "\N{MICROPHONE}", "\N{CLINKING GLASSES}", "\N{CLINKING BEER MUGS}", "\N{BALLOON}"),
        *("\N{GRINNING FACE WITH STAR EYES}", "\N{FIRE}", "\N{PERSON RAISING BOTH HANDS IN CELEBRATION}"),
        *("\N{SPEAKING HEAD IN SILHOUETTE}", "\N{HUGGING FACE}", "\N{ROCKET}"),
    ),
    "agreeableness:low": (
        *("\N{ANGRY FACE}", "\N{POUTING FACE}", "\N{FACE WITH LOOK OF TRIUMPH}", "\N{FACE WITH ROLLING EYES}"),
        *("\N{REVERSED HAND WITH MIDDLE FINGER EXTENDED}", "\N{THUMBS DOWN SIGN}", "\N{UNAMUSED FACE}"),
        *("\N{FACE WITH ONE EYEBROW RAISED}", "\N{SERIOUS FACE WITH SYMBOLS COVERING MOUTH}", "\N{SMIRKING FACE}"),
        *("\N{SMILING FACE WITH HORNS}", "\N{CROSSED SWORDS}", "\N{COLLISION SYMBOL}"),
    ),
    "agreeableness:high": (
        *("\N{TWO HEARTS}", "\N{SPARKLING HEART}", "\N{HEAVY BLACK HEART}", "\N{YELLOW HEART}", "\N{HUGGING FACE}"),
        *("\N{HANDSHAKE}", "\N{SMILING FACE WITH SMILING EYES}", "\N{PERSON WITH FOLDED HANDS}", "\N{SUNFLOWER}"),
        *("\N{SMILING FACE WITH SMILING EYES AND THREE HEARTS}", "\N{DOVE OF PEACE}", "\N{BOUQUET}"),
        *("\N{PALMS UP TOGETHER}", "\N{THUMBS UP SIGN}"),
    ),
    "neuroticism:low": (
        *("\N{RELIEVED FACE}", "\N{PERSON IN LOTUS POSITION}", "\N{SMILING FACE WITH SUNGLASSES}", "\N{WATER WAVE}"),
        *("\N{LEAF FLUTTERING IN WIND}", "\N{DOVE OF PEACE}", "\N{SLIGHTLY SMILING FACE}", "\N{OK HAND SIGN}"),
        *("\N{TEACUP WITHOUT HANDLE}", "\N{HERB}", "\N{SUNRISE}", "\N{PALM TREE}"),
    ),
    "neuroticism:high": (
        *("\N{CRYING FACE}", "\N{LOUDLY CRYING FACE}", "\N{FEARFUL FACE}", "\N{FACE WITH OPEN MOUTH AND COLD SWEAT}"),
        *("\N{WORRIED FACE}", "\N{PENSIVE FACE}", "\N{FACE SCREAMING IN FEAR}", "\N{BROKEN HEART}", "\N{WEARY FACE}"),
        *("\N{CONFOUNDED FACE}", "\N{TIRED FACE}", "\N{PERSEVERING FACE}", "\N{GRIMACING FACE}", "\N{FLUSHED FACE}"),
        "\N{ANGRY FACE}",
    ),
}
_LISTED = frozenset(emoji for listed in FITTING.values() for emoji in listed)


def is_fitting(token: str, target: Target) -> bool | None:
    """Whether an emoji is on the list of a pole.

    Returns:
        True where it is, False where it is on the lists of other poles alone, and None for what is on no list, such as
        a word, and for a trait that has no list.
    """
    plain = _VARIETY.sub("", token)
    if str(target) not in FITTING or plain not in _LISTED:
        return None
    return plain in FITTING[str(target)]
