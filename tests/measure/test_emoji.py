"""What is an emoji and what is not, and what a sentence is."""

import emoji as library
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temperament.measure.emoji import (
    EmojiUse,
    after_last_sentence,
    emojis,
    emoticons_beside,
    sentences,
    without_emoji,
)
from temperament.record import Generation, Label, Record
from temperament.trait import Target

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
GERMANY = "\U0001f1e9\U0001f1ea"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
GRIN = "\U0001f600"


def record(reply, topic="tea", item="1"):
    error = "no words" if reply is None else None
    return Record("s", "f", "p", Label(), Generation(), item, topic, "Tea?", "Tea?", reply, error=error)


@pytest.mark.parametrize(
    "one",
    [
        GRIN,
        "\u2705",
        "\u2728",
        "\u00a9\ufe0f",
        "\u2122\ufe0f",
        "\u2764\ufe0f",
        "\u2194\ufe0f",
        GERMANY,
        ENGLAND,
        "1\ufe0f\u20e3",
        "#\ufe0f\u20e3",
        FAMILY,
        "\U0001f44d\U0001f3fd",
        "\u261d\U0001f3fb",
        "\u2764\ufe0f\u200d\U0001f525",
        "\u2764\u200d\U0001f525",
        "\U0001f408\u200d\u2b1b",
        "\U0001f600\u200d\U0001f525",
        "\u2764\ufe0f\u200d\u2764\ufe0f",
        "1\u20e3",
    ],
)
def test_a_sequence_is_one_emoji(one):
    assert emojis(f"Well {one} then") == [one]
    assert emojis(one * 3) == [one] * 3


@pytest.mark.parametrize(
    "none",
    [
        "\u00a9",
        "\u2122",
        "\u00ae",
        "\u2194",
        "\u2764",
        "\u263a",
        "\u25b6",
        "\u2764\ufe0e",
        f"{GRIN}\ufe0e",
        "7",
        "#",
        "7\ufe0f",
        "\U0001f1e9",
        "\U0001f1fd\U0001f1fd",
        "\U0001f3fb",
        ":)",
        "\u201cquoted\u201d",
        "caf\u00e9",
    ],
)
def test_text_by_default_and_parts_of_emojis_are_no_emojis(none):
    assert emojis(f"Well {none} then") == []


def test_every_single_character_counts_as_unicode_shows_it_by_default():
    shown = [text for text, entry in library.EMOJI_DATA.items() if len(text) == 1 and entry["status"] == 2]
    bare = [text for text, entry in library.EMOJI_DATA.items() if len(text) == 1 and entry["status"] == 4]
    # Unicode 15 and later have 1205 characters with Emoji_Presentation; 26 half flags and 5 skin tones are left out.
    assert len(shown) >= 1205 - 26 - 5
    assert all(emojis(text) == [text] for text in shown)
    assert not any(emojis(text) for text in bare)


def test_a_skin_tone_belongs_to_what_it_follows():
    assert emojis("\U0001f44b\U0001f3ff \U0001f3ff") == ["\U0001f44b\U0001f3ff"]


def test_order_is_kept():
    assert emojis(f"a {GRIN} b \u2705{GERMANY}") == [GRIN, "\u2705", GERMANY]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"I love it {GRIN}! Great \u2705\u2705 day.", "I love it! Great day."),
        (f"{GRIN}Hello", "Hello"),
        (f"Tea{GRIN}time", "Tea time"),
        (f"One.\n{GRIN}\nTwo.", "One.\n\nTwo."),
        (GRIN, ""),
        ("Nothing here,  at all .\n", "Nothing here,  at all ."),
        ("half \U0001f1e9 a flag", "half a flag"),
        (f"style {GRIN}\ufe0f left", "style left"),
        ("(c) \u00a9 \u2192 7", "(c) \u00a9 \u2192 7"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ],
)
def test_texts_without_their_emojis_are_tidy(text, rest):
    assert without_emoji(text) == rest


@given(
    st.text(
        st.sampled_from(
            [GRIN, "\u200d", "\ufe0f", "\ufe0e", "a", "\u20e3", "1", " ", ".", "\u2764", "\U0001f1e9", "\U0001f3fb"]
        )
    )
)
def test_nothing_that_was_removed_comes_back(text):
    rest = without_emoji(text)
    assert emojis(rest) == []
    assert without_emoji(rest) == rest


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("Yes", 1),
        ("I like tea. I like it hot!", 2),
        ("i like tea. it is hot", 2),
        ("What?! Never.", 2),
        ("Well... perhaps.", 2),
        ("It costs 3.50 at Dr. Oz's, e.g. on Mondays.", 1),
        ('She said "No." Then she left.', 2),
        ("1. Tea\n2. Coffee\n- Water", 3),
        (f"I love it! {GRIN}{GRIN}{GRIN}", 1),
        (f"I love it {GRIN} it is great", 1),
        (f"Great.{GRIN} Good.", 2),
        (GRIN, 1),
        ("!!!", 1),
        ("So do I. Then we left.", 2),
    ],
)
def test_sentences_are_counted(text, count):
    assert sentences(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("I love it!", 0),
        (f"I love it! {GRIN}{GRIN}", 2),
        (f"I love it {GRIN}", 1),
        (f"I love it {GRIN}!", 0),
        (f"I love it! {GRIN} !", 1),
        (f"{GRIN} I love it", 0),
        (f"I {GRIN} love it. {GRIN}", 1),
        (f'She said "yes." {GRIN}', 1),
        (f"I love it\n{GRIN}\n{GERMANY}", 2),
        (f"I love it {GRIN}\n!", 1),
        (f"One. {GRIN} Two.", 0),
        ("Five of 1\ufe0f\u20e3 1\ufe0f\u20e3", 2),
        (f"{GRIN}{GRIN}", 0),
        ("", 0),
    ],
)
def test_emojis_after_the_last_sentence_are_told_from_those_inside(text, count):
    assert after_last_sentence(text) == count


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fun :) and <3", [":)", "<3"]),
        (f"Fun {GRIN} \u2728 \u2764\ufe0f", []),
        ("A bare \u2764", ["\u2764"]),
        ("Take `list[1:]` and\n```\nx[:]\n```\nthen :)", [":)"]),
        ("```\nopen to the end x[:]", []),
        ("| a | b |\n|:-|--:|\n| c | :D |", [":D"]),
        (":-|", [":-|"]),
    ],
)
def test_emoticons_are_counted_apart_from_emojis_code_and_tables(text, found):
    assert emoticons_beside(text) == found


def test_records_are_read_and_missing_replies_are_none():
    scores = EmojiUse().read([record(f"Tea! {GRIN} :)"), record(None), record("Plain.")])
    assert scores == [
        {"emojis": [GRIN], "after": 1, "emoticons": [":)"], "sentences": 1, "words": 1},
        None,
        {"emojis": [], "after": 0, "emoticons": [], "sentences": 1, "words": 1},
    ]


def figures(records):
    return {each.metric: each.estimate for each in EmojiUse().measure(records, Target("extraversion"))}


def test_emojis_are_counted_a_hundred_words_and_by_their_place():
    records = [
        record(f"One two {GRIN} three four. {GRIN}\u2705", "tea"),
        record("Four more words here", "jam"),
        record(f"Two {GRIN} words :)", "ice"),
    ]
    found = figures(records)
    assert found["emoji_per_100_words"].value == pytest.approx(100 * 4 / 10)
    assert found["emoji_after_share"].value == 0.5
    assert found["emoji_after_share"].n == 4
    assert found["emoticon_share"].value == pytest.approx(1 / 3)
    assert found["emoji_entropy"].n == 4
    assert found["emoji_entropy"].value > 0


def test_without_emojis_there_is_no_place_and_no_entropy():
    found = figures([record("Plain.", topic) for topic in "abc"])
    assert found["emoji_after_share"].value is None
    assert found["emoji_entropy"].value is None
    assert found["emoji_per_100_words"].value == 0
    assert found["emoticon_share"].value == 0
    assert found["emoticon_share"].upper > 0.3


def test_a_reply_of_nothing_but_emojis_counts_among_the_emojis_and_has_no_words():
    records = [record(GRIN * 3, "tea"), record("Ten " * 10, "jam")]
    assert figures(records)["emoji_per_100_words"].value == pytest.approx(30)


def test_missing_replies_never_count_as_replies_without_emojis():
    records = [
        record(f"Hot! {GRIN}{GRIN}", "tea"),
        record(None, "tea"),
        record("Cold. Dark.", "ice"),
        record(None, "ice"),
    ]
    found = {each.metric: each.estimate for each in EmojiUse().measure(records, Target("extraversion"))}
    assert found["emoji_share"].value == 0.5
    assert found["emoji_share"].n == 2
    assert found["emoji_sentence_ratio"].value == pytest.approx(2 / 3)
    assert found["emoji_sentence_ratio"].n == 2


def test_no_emojis_have_an_upper_bound():
    records = [record("Plain.", topic) for topic in "abcdefgh" for _ in range(5)]
    found = {each.metric: each.estimate for each in EmojiUse().measure(records, Target("extraversion"))}
    assert found["emoji_share"].value == found["emoji_sentence_ratio"].value == 0
    assert found["emoji_share"].upper > 0.2
    assert found["emoji_sentence_ratio"].upper > 0.05
