"""Which marks are a face and which are marks."""

import pytest

from temperament.measure.emoticon import emoticons


@pytest.mark.parametrize(
    "face",
    [
        *(":)", ":-)", ":D", ";)", ":(", ":'(", ":P", ":/", ":-|", ":o", ":3", ":-*", "<3", "</3", "^_^", "^^", "-_-"),
        *(">_<", "T_T", "o_O", "uwu", "UwU", "xD", "XD", "=)", "=D", "8-)", "(:", "(-:", "):", "\\o/", ">:(", ":]"),
        *("\u00af\\_(\u30c4)_/\u00af", "(\u256f\u00b0\u25a1\u00b0)\u256f", "(\u0ca0_\u0ca0)", "\u263a", "\u2665"),
    ],
)
def test_faces_of_every_kind_are_found(face):
    assert emoticons(f"That was fun {face}")
    assert emoticons(f"That was fun {face} and went on")


@pytest.mark.parametrize(
    "text",
    [
        *("at 8:30, or 9:3", "a ratio of 2:3", "see https://a.b/c and file:///x", "C:\\Users", "as follows:(a) one"),
        *("(on Sundays): I go", "**Note:** yes", 'he said: "no"', "vitamin D: good", "<30 minutes", "under <3.5 kg"),
        *("part 8) and 9)", "snake_case_name", "what...?!", '"Why?" I said; "no" (she left).', "and/or w/o", "ho--ho"),
    ],
)
def test_ordinary_marks_are_no_faces(text):
    assert emoticons(text) == []
