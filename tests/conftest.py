"""Every test runs on one thread, offline, and with the types and tensor shapes of the package checked at run time."""

import os
import signal
from functools import cache

import pytest
from jaxtyping import install_import_hook

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GOMP_SPINCOUNT"] = "0"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Before the first import of the package: modules that are imported already stay unchecked.
install_import_hook("temperament", "beartype.beartype")

WORDS = ("hello", "what do you think about rain?")


def pytest_configure():
    import torch

    torch.set_num_threads(1)
    # A shell starts its background jobs deaf to an interrupt, and the commands that tests interrupt would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def registered():
    """The registry of traits by name; a trait that a test registers is forgotten after it."""
    from temperament import trait

    before = dict(trait._KNOWN)
    yield trait._KNOWN
    trait._KNOWN.clear()
    trait._KNOWN.update(before)


@cache
def _lively(architecture):
    from temperament.subject.open import OpenSubject
    from temperament.subject.tiny import tiny_subject

    subject = tiny_subject(architecture)
    for name, parameter in subject.model.named_parameters():
        if parameter.ndim == 2:
            # Larger ones, tied to the head, would make Gemma repeat the last token for ever.
            parameter.data.mul_(3 if "embed" in name else 10)
    return OpenSubject.of(subject.model, subject.tokenizer, subject.name)


@pytest.fixture(scope="session")
def lively():
    """Tiny subjects by architecture, built once, with weights so large that every part of them moves the logits.

    A test that leaves a trace in one makes later tests fail: that is wanted.
    """
    return _lively


@pytest.fixture(scope="session")
def logits_of():
    """The logits [batch, token, vocab] of a subject, padded on the right, where padding cannot be seen by the words."""
    import torch

    def logits(subject, words=WORDS):
        batch = subject.tokenizer(list(words), return_tensors="pt", padding=True, padding_side="right")
        with torch.no_grad():
            return subject.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits

    return logits
