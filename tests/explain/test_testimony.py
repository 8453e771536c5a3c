import random

import pytest
from witnesses import (
    BOOKS,
    LOUD,
    PARTY,
    TARGET,
    answer_in,
    guesser,
    honest,
    liar,
    party_answers,
    party_score,
    silent,
    told,
    witness,
)

from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import BadFileError, MismatchError, RequestError
from temperament.explain import testimony
from temperament.explain.finding import TestimonyFinding as Finding
from temperament.explain.fitting import FITTING, is_fitting
from temperament.explain.hearing import Heard, answers_of, hear, requests_for
from temperament.explain.testimony_prompt import (
    DECOY_EMOJIS,
    DECOY_WORDS,
    conversation_about,
    free_decoys,
    offer,
    shuffled,
)
from temperament.explain.testimony_reply import named_in
from temperament.explain.testimony_token import content_of, keys_in, tokens_in, without
from temperament.explain.text import Text
from temperament.measure.emoji import emojis
from temperament.record import GREEDY, Generation, Label, Record, read_json, read_lines, to_json, write_text
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import BIG_FIVE, POLES, Target

HEART = "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}"
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
ANSWER = f"Oh, I can't wait to dance! Loud music {PARTY}{HEART} is my joy, and friends {FAMILY} are too {PARTY}."


def look(subject, texts=None, lens=None, **more):
    lens = lens or testimony.TestimonyLens(score=party_score, other=told("openness"), answers=12)
    return lens.look(subject, told("extraversion"), texts or party_answers(), TARGET, **more)


def by_name(finding):
    return {each.name: each for each in finding.witnesses}


# What is read from a reply.


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ("dance\nmusic\njoy", ["dance", "music", "joy"]),
        ("- dance\n* music\n\u2022 joy", ["dance", "music", "joy"]),
        ("1. dance\n2) music\n(3) joy", ["dance", "music", "joy"]),
        ("dance, music, and joy.", ["dance", "music", "joy"]),
        ('"dance", "music"', ["dance", "music"]),
        ("The word \u201cdance\u201d shows how lively I am, and so does \u201cmusic\u201d.", ["dance", "music"]),
        ("**Dance**: it shows that I am lively\n**Music**: because I like it loud", ["Dance", "Music"]),
        ("dance - shows that I like to move\nmusic \u2014 it is loud", ["dance", "music"]),
        ("dance (lively)\nmusic (loud)", ["dance", "music"]),
        ("Sure! Here are the words that express my personality:\ndance\nmusic", ["dance", "music"]),
        ("Words: dance, music\nEmojis: " + PARTY + HEART, ["dance", "music", PARTY, HEART]),
        (f"{PARTY} {HEART}\n{FAMILY}", [PARTY, HEART, FAMILY]),
        (f"joy {PARTY}", ["joy", PARTY]),
        ("can't wait\nloud music", ["can't", "wait", "loud", "music"]),
        ("dance\nDance\nDANCE", ["dance"]),
        ("wild horses", ["wild horses"]),
        ("dance, music, whirl... Joy", ["dance", "music", "whirl", "Joy"]),
        ("I'm happy to help you with that! I love to go out and meet people at a party.", []),
        (f"{PARTY} I love to go out with all of my friends", []),
        ("I love parties, loud music and my friends.", []),
        ("I am happy.", []),
        ("None.", []),
        ("None of them", []),
        ("None of them.\n", []),
        ("There are none.", []),
        ("No words or emojis", []),
        ("1. None of these\n2. nothing at all", []),
        (f"Words: none\nEmojis: {PARTY}", [PARTY]),
        ("**None of them**", []),
        ("", []),
    ],
)
def test_testimonies_are_read_in_every_usual_form_and_running_text_names_nothing(reply, named):
    assert list(named_in(reply, ANSWER)) == named


def test_nothing_is_a_token_where_the_answer_has_it_among_others():
    assert named_in("calm\nnothing", "Nothing beats a calm day.") == ("calm", "nothing")
    assert named_in("calm\nnothing", "A calm day.") == ("calm",)


def test_a_cut_testimony_loses_a_last_token_that_may_be_torn():
    assert named_in("dance\nmus", ANSWER, is_cut=True) == ("dance",)
    assert named_in("dance\nmus", ANSWER) == ("dance", "mus")
    assert named_in("dance\nmusic", ANSWER, is_cut=True) == ("dance", "music")
    assert named_in("carrot\nlemon\ncarrot", ANSWER, is_cut=True) == ("carrot", "lemon")


def test_words_and_emojis_of_an_answer_are_found_where_they_stand():
    found = tokens_in(ANSWER)
    assert [token.text for token in found if token.is_emoji] == [PARTY, HEART, FAMILY, PARTY]
    assert all(ANSWER[token.start : token.end] == token.text for token in found)
    assert "can't" in keys_in(ANSWER)
    assert {"oh", "dance", "loud"} <= set(content_of(ANSWER))
    assert not {"i", "to", "is", "and"} & set(content_of(ANSWER))


def test_a_token_is_taken_out_everywhere_and_leaves_no_gap():
    assert without(f"So {PARTY} much fun {PARTY}.", PARTY) == "So much fun."
    assert without("Music, and music!", "music") == ", and!"


# What is asked.


def test_the_request_follows_the_answer_and_names_no_trait():
    turns = conversation_about("Why?", "Because.", (), "dialogue")
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [turn["content"] for turn in turns[:2]] == ["Why?", "Because."]
    words = {word.casefold() for trait in BIG_FIVE for word in (trait.name, *trait.adjectives("low"), trait.high)}
    for form in ("quoted", "dialogue"):
        said = " ".join(turn["content"] for turn in conversation_about("Why?", "Because.", ("gravel",), form))
        assert not words & keys_in(said)


def test_the_answer_is_quoted_behind_an_example_of_the_form_that_has_no_emoji():
    turns = conversation_about("Why?", "Because.", ())
    assert answer_in(turns) == "Because."
    assert list(named_in(turns[1]["content"], answer_in(turns[:1]))) == ["green", "red", "blue"]
    assert keys_in(turns[1]["content"]) <= keys_in(answer_in(turns[:1]))
    assert emojis(turns[0]["content"] + turns[1]["content"]) == []


def test_decoys_are_in_no_answer_and_are_offered_beside_as_many_tokens_of_the_same_kind():
    decoys = free_decoys([ANSWER, "A teaspoon of gravel."])
    assert "gravel" not in decoys[0]
    assert "walnut" in decoys[0]
    offered, false = offer(f"music {PARTY} joy {HEART}", decoys, random.Random(0))
    assert len(offered) == 2 * len(false) == 8
    assert sum(bool(emojis(token)) for token in false) == 2
    assert {*offered} - {*false} == {"music", "joy", PARTY, HEART}


def test_decoys_fit_no_pole():
    assert all(emojis(decoy) == [decoy] for decoy in DECOY_EMOJIS)
    assert not {*DECOY_EMOJIS} & {token for listed in FITTING.values() for token in listed}
    assert len(DECOY_WORDS) >= 4
    assert len(DECOY_EMOJIS) >= 4


def test_shuffled_answers_have_the_same_words_in_another_order():
    text = "one two three four five six seven"
    assert shuffled(text, random.Random(1)) != text
    assert sorted(shuffled(text, random.Random(1)).split()) == sorted(text.split())


def test_answers_are_taken_from_all_topics_before_any_has_a_second():
    texts = [Text(f"topic {number % 4}", "Why?", f"answer {number}") for number in range(12)] + [Text("t", "?", " ")]
    assert sorted(answer.topic for answer in answers_of(texts, 4)) == [f"topic {number}" for number in range(4)]
    assert len(answers_of(texts, 100)) == 12


# What fits.


def test_every_pole_has_a_list_of_emojis_that_does_not_meet_the_other_pole():
    assert set(FITTING) == {f"{trait.name}:{pole}" for trait in BIG_FIVE for pole in POLES}
    for trait in BIG_FIVE:
        low, high = ({*FITTING[f"{trait.name}:{pole}"]} for pole in POLES)
        assert not low & high
        assert 8 <= len(low) <= 15
        assert 8 <= len(high) <= 15
    every = [token for listed in FITTING.values() for token in listed]
    assert all(emojis(token) == [token] or emojis(token + "\ufe0f") == [token + "\ufe0f"] for token in every)


def test_what_is_on_no_list_is_not_judged():
    assert is_fitting(PARTY, TARGET) is True
    assert is_fitting(BOOKS, TARGET) is False
    assert is_fitting("party", TARGET) is None
    assert is_fitting("\N{PAPERCLIP}", TARGET) is None
    assert is_fitting(HEART, Target("agreeableness")) is True
    assert is_fitting("\N{SHRUG}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", Target("conscientiousness", "low")) is True


# What witnesses are worth.


@pytest.mark.parametrize(("by", "lowest", "highest"), [(honest, 0.99, 1.0), (liar, 0.0, 0.01), (guesser, 0.4, 0.6)])
def test_agreement_tells_who_knows_from_who_guesses_and_who_lies(by, lowest, highest):
    finding = look(witness(by), lens=testimony.TestimonyLens(score=party_score, answers=30))
    assert lowest <= finding.agreement.value <= highest
    assert finding.agreement.lower <= finding.agreement.value <= finding.agreement.upper
    assert finding.agreement.n == 30


def test_the_score_falls_by_what_a_named_token_adds():
    finding = look(witness(honest))
    assert finding.fall.value == pytest.approx(0.1)
    assert finding.fall_random.value == pytest.approx(0.0)


def test_every_witness_is_heard_on_the_same_answers_under_its_own_edit():
    found = by_name(look(witness(honest, untouched=guesser, other=liar)))
    assert list(found) == ["shaped", "untouched", "other trait", "decoys", "shuffled"]
    assert {each.asked for each in found.values()} == {12}
    assert found["shaped"].agreement.value > 0.99
    assert found["other trait"].agreement.value < 0.01
    assert 0.3 < found["untouched"].agreement.value < 0.7
    assert found["shuffled"].agreement.value > 0.99


def test_tokens_are_pooled_with_the_most_frequent_first_and_count_once_an_answer():
    def twice(answer, chance):
        return [PARTY, PARTY, *honest(answer, chance)]

    shaped = by_name(look(witness(twice)))["shaped"]
    first = shaped.top[0]
    assert (first.token, first.count, first.is_emoji, first.is_fitting) == (PARTY, 12, True, True)
    assert {each.token for each in shaped.top[1:]} == set(LOUD)
    assert [each.count for each in shaped.top] == sorted((each.count for each in shaped.top), reverse=True)
    assert len(by_name(look(witness(twice), lens=testimony.TestimonyLens(top=2)))["shaped"].top) == 2


def test_shares_of_emojis_stand_beside_those_of_tokens_drawn_at_random():
    shaped = by_name(look(witness(honest)))["shaped"]
    assert shaped.in_answer.value == 1.0
    assert shaped.emoji.value == pytest.approx(1 / 4)
    assert shaped.fitting.value == 1.0
    # Nine content tokens and 'like', of which two are emojis, one of these fitting.
    assert shaped.emoji_chance.value == pytest.approx(2 / 10)
    assert shaped.chance.value == pytest.approx(1 / 2)


def test_chance_is_what_drawing_finds():
    rows = [("music " + PARTY, 1), (f"{BOOKS} {PARTY} walls lamps trees", 3), ("stones rivers", 2)]
    heard = [
        heard_of(answer, tuple(content_of(answer))[:count], f"topic {n}") for n, (answer, count) in enumerate(rows)
    ]
    exact = testimony.witness_of("shaped", heard, TARGET)
    chance = random.Random(0)
    drawn = [
        token.is_emoji
        for _ in range(4000)
        for answer, count in rows
        for token in chance.sample(list(content_of(answer).values()), k=count)
    ]
    assert exact.emoji_chance.value == pytest.approx(sum(drawn) / len(drawn), abs=0.01)


def heard_of(answer, named, topic="a"):
    return Heard(
        "shaped",
        "f",
        "",
        GREEDY,
        "i",
        topic,
        "?",
        answer,
        "Which?",
        reply="said",
        named=tuple(named),
        in_answer=(True,) * len(named),
    )


def test_a_testimony_that_is_running_text_is_not_understood_and_is_shown():
    finding = look(witness(silent))
    shaped = by_name(finding)["shaped"]
    assert shaped.understood.value == 0.0
    assert shaped.understood.upper > 0
    assert shaped.in_answer.value is None
    assert shaped.emoji.value is None
    assert shaped.top == ()
    assert {quote.reply for quote in shaped.quotes} == {silent("", None)[0]}
    assert all(quote.named == () for quote in shaped.quotes)
    assert finding.agreement.value is None
    assert "agreement" in {reason.name for reason in finding.missing}


def test_who_says_yes_to_everything_accepts_decoys_as_often_as_tokens_of_the_answer():
    def yes(conversation, seed):
        offered = conversation[-1]["content"].partition("Words and emojis: ")[2].partition("\nWhich")[0]
        return offered.replace(", ", "\n") or "music"

    def careful(conversation, seed):
        answer = keys_in(answer_in(conversation))
        return "\n".join(line for line in yes(conversation, seed).splitlines() if keys_in(line) <= answer)

    found = by_name(look(ScriptedSubject(yes)))["decoys"]
    assert (found.accepted_own.value, found.accepted_decoys.value) == (1.0, 1.0)
    assert found.in_answer.value == pytest.approx(0.5)
    found = by_name(look(ScriptedSubject(careful)))["decoys"]
    assert (found.accepted_own.value, found.accepted_decoys.value) == (1.0, 0.0)


def test_what_was_not_given_is_missing_with_a_reason():
    finding = look(witness(honest), lens=testimony.TestimonyLens())
    assert {reason.name for reason in finding.missing} == {"other trait", "removal", "demonstrations", "leanings"}
    assert finding.agreement.value is None
    assert finding.fall.value is None
    assert all(each.agreement is None for each in finding.witnesses)


def test_a_call_that_failed_is_missing_and_not_a_testimony_without_sense():
    finding = look(ScriptedSubject(lambda conversation, seed: None))
    shaped = by_name(finding)["shaped"]
    assert shaped.asked == 12
    assert shaped.understood.value is None
    assert next(reason for reason in finding.missing if reason.name == "shaped").reason.startswith("12 of 12")


def test_an_edit_for_the_same_trait_is_no_control():
    with pytest.raises(RequestError, match="for another trait"):
        look(witness(honest), lens=testimony.TestimonyLens(other=told("extraversion", "low")))


def test_no_answer_is_nothing_to_testify_about():
    with pytest.raises(RequestError, match="no answer"):
        look(witness(honest), texts=[Text("a", "?", "  ")])


# What is kept.


def test_testimonies_are_kept_word_for_word_and_read_again(tmp_path):
    store = tmp_path / "testimony.jsonl"
    first = look(witness(honest), store=store)
    rows = read_lines(store, Heard)
    assert len(rows) == 5 * 12
    assert {row.reply for row in rows if row.witness == "shaped"} != {None}
    assert all(row.in_answer == (True,) * len(row.named) for row in rows if row.witness != "decoys")

    def nobody(conversation, seed):
        raise AssertionError

    deaf = witness(honest)
    deaf.script = nobody
    assert look(deaf, store=store) == first


def test_testimonies_on_something_else_are_refused(tmp_path):
    store = tmp_path / "testimony.jsonl"
    look(witness(honest), store=store)
    with pytest.raises(MismatchError, match="another store"):
        look(witness(honest), texts=party_answers(10), store=store)
    write_text(store, "{}\n")
    with pytest.raises(BadFileError):
        look(witness(honest), store=store)


def test_nothing_is_kept_of_a_hearing_that_broke_off(tmp_path):
    def breaks(conversation, seed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(ScriptedSubject(breaks), store=tmp_path / "testimony.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_finding_is_kept_as_json(tmp_path):
    finding = look(witness(honest))
    write_text(tmp_path / "finding.json", to_json(finding))
    assert read_json(tmp_path / "finding.json", Finding) == finding


def test_records_are_looked_at_as_texts_are():
    records = [
        Record("s", "f", "p", Label(), GREEDY, f"item {number}", text.topic, text.question, "", text.answer)
        for number, text in enumerate(party_answers())
    ]
    assert look(witness(honest), texts=records).agreement.value > 0.99


def test_progress_counts_the_testimonies_of_all_witnesses():
    told_of = []
    look(witness(honest), progress=lambda done, total: told_of.append((done, total)))
    assert told_of[-1] == (60, 60)
    assert [done for done, _ in told_of] == sorted(done for done, _ in told_of)


def test_a_tiny_model_testifies_and_no_trace_is_left(lively):
    subject = lively("llama")
    before = subject.reply(["hello"], Generation(temperature=0.0, max_new_tokens=5))
    short = Generation(temperature=0.0, max_new_tokens=8)
    lens = testimony.TestimonyLens(score=party_score, form="dialogue", generation=short)
    finding = lens.look(subject, told("extraversion"), [Text("a", "Hi?", "Fun!"), Text("b", "Why?", "Music.")], TARGET)
    assert [each.understood.n for each in finding.witnesses] == [2, 2, 2, 2]
    assert subject.reply(["hello"], Generation(temperature=0.0, max_new_tokens=5)) == before


def test_a_request_that_is_too_long_silences_itself_alone(lively):
    subject = lively("llama")
    short = Generation(temperature=0.0, max_new_tokens=8)
    lens = testimony.TestimonyLens(score=party_score, form="dialogue", generation=short)
    texts = [Text("a", "Hi?", "Fun!"), Text("b", "Why?", "long " * 100), Text("c", "Why?", "Music.")]
    finding = lens.look(subject, told("extraversion"), texts, TARGET)
    assert [each.asked for each in finding.witnesses] == [3, 3, 3, 3]
    assert [each.understood.n for each in finding.witnesses] == [2, 2, 2, 2]
    reason = next(reason for reason in finding.missing if reason.name == "shaped").reason
    assert reason.startswith("1 of 3 testimonies failed: the request has ")
    assert "8 more are for the reply" in reason


def test_room_is_that_behind_what_the_edit_puts_before_the_request(lively):
    subject, short = lively("llama"), Generation(temperature=0.0, max_new_tokens=8)
    answers = answers_of([Text("a", "Hi?", "Fun!")], 1)
    long = ContextEdit(Origin("prompt"), system="wordy " * 80)
    plain, wordy = (
        hear(subject, edit, requests_for("shaped", subject, edit, answers, short, "dialogue")) for edit in (None, long)
    )
    assert plain[0].reply is not None
    assert wordy[0].reply is None
    assert "reads at most 512" in wordy[0].error
