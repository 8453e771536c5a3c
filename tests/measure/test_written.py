"""What tokens write is known at every position, and a reply ends where the window has room for its end."""

from temperament.activation.forcing import Exchange, Row
from temperament.measure.spelling import spell
from temperament.measure.written import ended, given_replies, written_by

GRIN, ACUTE = "\U0001f600", "\u00e9"


def test_what_each_token_completes_is_the_text_and_positions_inside_characters_and_emojis_are_told(lively):
    subject = lively("llama")
    text = f"a{ACUTE}{GRIN}\u200d{GRIN}!"
    found = written_by(subject.format.tokens(text), spell(subject.tokenizer))
    assert "".join(found.pieces) == text
    assert found.pieces[:4] == ("a", "", ACUTE, "")
    # One of a; two of the letter; four of each face and three of what joins them; the mark; and the end.
    inside = [False, False, True, False, *[True] * 3, False, True, True, *[True] * 4, False, False]
    assert list(found.is_inside) == inside
    assert len(found.pieces) == len(found.is_inside) == 1 + 2 + 4 + 3 + 4 + 1 + 1


def test_an_emoji_that_is_cut_is_still_open_at_the_end(lively):
    subject = lively("llama")
    found = written_by(subject.format.tokens(GRIN)[:2], spell(subject.tokenizer))
    assert found.is_inside == (False, True, True)
    assert found.pieces == ("", "", "")


def test_the_end_of_a_reply_is_a_position_of_its_own_where_there_is_room(lively):
    subject = lively("llama")
    row = Row((7, 8), (9,))
    assert ended(row, subject).answer == (9, subject.format.pad_token)
    assert ended(row, subject).read == (7, 8, 9)
    full = Row((7,) * (subject.window - 1), (9,))
    assert len(ended(full, subject).read) == subject.window
    over = Row((7,) * subject.window, (9,))
    assert ended(over, subject) == over


def test_replies_that_the_model_ended_have_one_position_more(lively):
    subject = lively("llama")
    given, written = given_replies(subject, [Exchange("q?", "one")] * 2, [True, False], spell(subject.tokenizer))
    assert len(given.row(0).answer) == len(given.row(1).answer) + 1
    assert written[0] == written[1]
