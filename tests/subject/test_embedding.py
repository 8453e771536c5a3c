"""Sentence embedders by name."""

import numpy as np
import pytest

from temperament.errors import InstallError, RequestError, UnknownNameError
from temperament.measure.embedder import load_embedder
from temperament.subject.embedding import load_sentence_embedder


def test_words_are_counted_whatever_their_case():
    embed = load_sentence_embedder("words")
    rows = embed(["Rain, rain and tea", "tea AND rain; rain", "chess", ""])
    assert rows.dtype == np.float32
    assert np.array_equal(rows[0], rows[1])
    assert rows[0].sum() == 4
    assert rows[0] @ rows[2] == 0
    assert not rows[3].any()


def test_an_embedder_is_loaded_once_wherever_it_is_asked_for():
    assert load_sentence_embedder("words") is load_sentence_embedder("words") is load_embedder("words")


def test_a_chat_model_embeds_no_sentences_here():
    with pytest.raises(RequestError, match=r"builtin:smollm2 was asked to embed sentences: it is a chat model. Use"):
        load_sentence_embedder("builtin:smollm2")
    with pytest.raises(UnknownNameError):
        load_sentence_embedder("builtin:minilmm")


def test_a_folder_with_pickled_weights_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InstallError, match="has pickled weights"):
        load_sentence_embedder(str(tmp_path))
