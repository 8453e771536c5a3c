"""After which bytes an emoji is certain, possible, or out of the question."""

import emoji as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temperament.measure.beginning import START, Place, advance, is_inside
from temperament.measure.emoji import emojis

GRIN = "\U0001f600"
D, E, X = "\U0001f1e9", "\U0001f1ea", "\U0001f1fd"
HEART, STYLE, JOINER = "\u2764", "\ufe0f", "\u200d"


def fate(text):
    found = advance(START, text.encode() if isinstance(text, str) else text)
    return "possible" if isinstance(found, Place) else found


@pytest.mark.parametrize(
    "certain",
    [
        GRIN,
        f" {GRIN}",
        f"\n\n{GRIN} and more",
        "\u2728",
        f"{HEART}{STYLE}",
        f"{HEART}{JOINER}\U0001f525",
        "\u261d\U0001f3fb",
        f"1{STYLE}\u20e3",
        "#\u20e3",
        D + E,
        b"\xf0\x9f\x98",
        b" \xf0\x9f\x98",
        b"\xf0\x9f\x98\x80",
    ],
)
def test_an_emoji_is_certain_once_nothing_else_can_come_of_the_bytes(certain):
    assert fate(certain) is True


@pytest.mark.parametrize(
    "possible",
    [
        "",
        " ",
        "\n",
        HEART,
        HEART + JOINER,
        "\u261d",
        "7",
        f"7{STYLE}",
        D,
        b"\xf0",
        b"\xf0\x9f",
        b"\xf0\x9f\x91",
        b"\xf0\x9f\xa4",
        b"\xe2",
        b"\xe2\x80",
        b" \xe2\x9c",
        D.encode() + b"\xf0\x9f\x87",
        HEART.encode() + b"\xef\xb8",
    ],
)
def test_a_shared_lead_and_a_character_that_is_text_by_default_leave_it_open(possible):
    assert fate(possible) == "possible"


@pytest.mark.parametrize(
    "never",
    [
        "a",
        " a",
        f"a{GRIN}",
        "\u201c",
        "\u2019",
        "\u00e9",
        "\u6f22",
        f"{HEART} ",
        f"{HEART}\ufe0e",
        "\u2122\U0001f3fb",
        "12",
        "**",
        f"7{STYLE}7",
        D + X,
        D + "a",
        "\U0001f3fb",
        STYLE,
        JOINER,
        b"\x98\x80",
        b"\xf0a",
        b"\xe2\x80\x99",
        b"\xf0\x90",
        b"\xff",
    ],
)
def test_quotes_letters_and_torn_bytes_are_no_emojis(never):
    assert fate(never) is False


def test_emojis_of_the_list_are_certain_in_the_end_and_never_out_of_the_question():
    for text, entry in list(library.EMOJI_DATA.items())[::5]:
        if entry["status"] == library.STATUS["fully_qualified"] and emojis(text) == [text]:
            places = [advance(START, text.encode()[:length]) for length in range(1, len(text.encode()) + 1)]
            assert places[-1] is True
            assert False not in places


PARTS = (
    GRIN,
    HEART,
    STYLE,
    JOINER,
    D,
    E,
    X,
    "\u261d",
    "\U0001f3fb",
    "1",
    "\u20e3",
    "\u2728",
    "\u2019",
    "a",
    " ",
    "\u00a9",
)


@settings(deadline=None)
@given(st.text(st.sampled_from(PARTS), max_size=5))
def test_whole_characters_are_judged_as_the_rules_of_emojis_judge_them(text):
    bare = text.lstrip(" \t\n\r\v\f")
    found = emojis(bare)
    begins = bool(found) and bare.startswith(found[0])
    assert (fate(text) is True) == begins


@settings(deadline=None)
@given(st.text(st.sampled_from(PARTS), max_size=4), st.data())
def test_it_does_not_matter_where_tokens_are_cut(text, data):
    written = text.encode()
    cut = data.draw(st.integers(0, len(written)))
    first = advance(START, written[:cut])
    assert (advance(first, written[cut:]) if isinstance(first, Place) else first) == advance(START, written)


@pytest.mark.parametrize(
    "inside", [D, E + D + E, f"Hi {D}", f"{GRIN}{JOINER}", f"{HEART}{JOINER}", f"{HEART}{STYLE}{JOINER}"]
)
def test_what_follows_a_joiner_or_half_a_flag_is_the_same_emoji(inside):
    assert is_inside(inside)


@pytest.mark.parametrize("outside", ["", "a", GRIN, D + E, HEART, f"\u0915\u094d{JOINER}", f"a{JOINER}", f"{D}a"])
def test_what_follows_anything_else_may_be_a_new_one(outside):
    assert not is_inside(outside)
