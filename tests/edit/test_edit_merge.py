"""A merged model is the subject under its edit, for tools that know nothing of edits."""

import stat

import pytest
import torch

from temperament.edit.merge import export_merged
from temperament.errors import BadFileError, RequestError
from temperament.subject.open import OpenSubject


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "phi3", "gemma2"])
def test_the_merged_model_answers_as_the_subject_under_the_edit(architecture, lively, draw, logits_of, tmp_path):
    subject = lively(architecture)
    edit = 0.5 * draw("weight", subject)
    untouched = logits_of(subject)
    folder = export_merged(subject, edit, tmp_path / "merged")
    assert torch.equal(logits_of(subject), untouched)
    merged = OpenSubject.from_folder(folder, "merged", "float32")
    assert merged.fingerprint != subject.fingerprint
    with edit.applied(subject):
        torch.testing.assert_close(logits_of(merged), logits_of(subject), rtol=1e-4, atol=1e-4)
    assert (logits_of(merged) - untouched).abs().max() > 0.1


def test_a_stack_of_weight_edits_is_merged_at_the_strength_of_each(lively, draw, logits_of, tmp_path):
    subject = lively("llama")
    stack = 0.5 * (draw("weight", subject, 0) + -1.0 * draw("weight", subject, 1))
    export_merged(subject, stack, tmp_path / "merged")
    with stack.applied(subject):
        expected = logits_of(subject)
    merged = OpenSubject.from_folder(tmp_path / "merged", "merged", "float32")
    torch.testing.assert_close(logits_of(merged), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["context", "activation", "stack"])
def test_what_changes_no_weights_cannot_be_merged(kind, lively, draw, tmp_path):
    with pytest.raises(RequestError, match="changes no weights, so it cannot be merged"):
        export_merged(lively("llama"), draw(kind, lively("llama")), tmp_path / "merged")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_unharmed(lively, draw, content_of, tmp_path):
    subject = lively("llama")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "chapter.txt").write_text("Years of work.")
    (tmp_path / "file").write_text("mine")
    before = content_of(tmp_path)
    for name in ("full", "file"):
        with pytest.raises(BadFileError, match="so that nothing of yours is replaced"):
            export_merged(subject, draw("weight", subject), tmp_path / name)
    assert content_of(tmp_path) == before


def test_an_empty_folder_is_filled_and_others_may_read_it(lively, draw, tmp_path):
    subject = lively("llama")
    for name in ("neighbour", "merged"):
        (tmp_path / name).mkdir()
    export_merged(subject, draw("weight", subject), tmp_path / "merged")
    assert len({stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("neighbour", "merged")}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged", "neighbour"]
