"""What tokens write, whatever kind of vocabulary they are from."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from temperament.measure.beginning import START, advance
from temperament.measure.spelling import spell
from temperament.subject.tiny import SPECIAL, byte_tokenizer

GRIN = "\U0001f600"


def wrapped(inner, **special):
    return PreTrainedTokenizerFast(tokenizer_object=inner, **special)


def sentence_piece():
    """As LLaMA-2 has it: a mark for the space, whole emojis, and bytes for what is in no vocabulary."""
    bytes_ = [f"<0x{number:02X}>" for number in range(0x100)]
    pieces = ["<unk>", "<s>", *bytes_, "\u2581", "\u2581a", "a", "b", GRIN, f"\u2581{GRIN}", "\u2581\u2581"]
    model = models.BPE(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[("\u2581", "a"), ("\u2581", GRIN)],
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    inner = Tokenizer(model)
    inner.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="never", split=False)
    inner.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return wrapped(inner, unk_token="<unk>", bos_token="<s>")


@cache
def made(kind):
    """A tokenizer of a kind and how it spells."""
    tokenizer = kind()
    return tokenizer, spell(tokenizer)


def words():
    inner = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, GRIN: 2, "\u2764": 3, "\ufe0f": 4}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return wrapped(inner, unk_token="[UNK]")


def word_pieces():
    inner = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "\u2764": 3, "##\ufe0f": 4}, unk_token="[UNK]"))
    inner.decoder = decoders.WordPiece(prefix="##")
    return wrapped(inner, unk_token="[UNK]")


@settings(deadline=None)
# Without the mark that special tokens such as "<|end|>" are written with: those write nothing.
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|"), max_size=20))
def test_bytes_of_byte_level_tokens_join_to_the_text(text):
    tokenizer, spelled = made(byte_tokenizer)
    assert b"".join(spelled[token] for token in tokenizer(text)["input_ids"]).decode() == text


@settings(deadline=None)
@given(st.text(st.sampled_from(["a", "b", " ", GRIN, "\u2019", "\U0001f44d"]), max_size=12))
def test_bytes_of_sentence_pieces_join_to_the_text(text):
    tokenizer, spelled = made(sentence_piece)
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert b"".join(spelled[token] for token in tokens).decode() == text


def test_special_tokens_write_nothing():
    tokenizer = byte_tokenizer()
    spelled = spell(tokenizer)
    assert {spelled[tokenizer.convert_tokens_to_ids(token)] for token in SPECIAL} == {None}
    assert all(spelled[number] is not None for number in range(len(SPECIAL), len(tokenizer)))


def fates(tokenizer):
    spelled = spell(tokenizer)
    written = {token: spelled[number] for token, number in tokenizer.get_vocab().items()}
    return {token: advance(START, each) for token, each in written.items() if each is not None}


def test_of_byte_fallback_whole_emojis_are_certain_and_a_lead_byte_is_open():
    found = fates(sentence_piece())
    assert found[GRIN] is found[f"\u2581{GRIN}"] is True
    assert found["<0xF0>"] not in (True, False)
    assert found["<0x9F>"] is found["a"] is found["<0x61>"] is False
    assert found["\u2581"] == START


def test_whole_words_are_parted_by_a_space_and_word_pieces_go_on():
    spelled = spell(words())
    assert spelled[2] == f" {GRIN}".encode()
    assert advance(START, spelled[2]) is True
    heart = advance(START, spelled[3])
    assert advance(heart, spelled[4]) is False
    pieces = spell(word_pieces())
    assert advance(advance(START, pieces[3]), pieces[4]) is True


def test_a_tokenizer_that_shows_no_decoder_is_read_as_pieces():
    class Slow:
        all_special_ids = (0,)

        @property
        def added_tokens_decoder(self):
            return {}

        def get_vocab(self):
            return {"<s>": 0, "<0xF0>": 1, "\u2581a": 2, "b": 5}

    assert spell(Slow()) == [None, b"\xf0", b" a", None, None, b"b"]


def test_tokens_that_were_added_are_plain_text():
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([GRIN, "<think>"])
    spelled = spell(tokenizer)
    assert spelled[tokenizer.convert_tokens_to_ids(GRIN)] == GRIN.encode()
    assert spelled[tokenizer.convert_tokens_to_ids("<think>")] == b"<think>"


@pytest.mark.parametrize("kind", [sentence_piece, words, word_pieces, byte_tokenizer])
def test_every_token_that_is_text_writes_something(kind):
    tokenizer = kind()
    spelled = spell(tokenizer)
    assert all(spelled[number] for number in tokenizer.get_vocab().values() if number not in tokenizer.all_special_ids)
