"""A decoder and an edit of it of which everything is known: three units write emojis, one only seems to.

The model has no attention and writes the bytes of its alphabet, one a token. After the first byte of a face it goes on
with the second and the third, whoever wrote it. In the untouched model no unit of a gate fires. The edit, a low-rank
branch beside one gate, makes four fire, which differ in how strongly and fire on the same tokens: A, B and C write
towards the first byte of a face, D fires most of all and writes nothing. IDLE units fire in both models, as much.
"""

import torch

from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.explain.finding import Unit
from temperament.explain.text import Text
from temperament.subject.open import OpenSubject
from temperament.subject.tiny import tiny_subject

LAYER, HIDDEN = 1, 32
A, B, C, D = 7, 19, 31, 43
# What each writes towards the first byte of a face, and how strongly the edit makes it fire.
WRITES = {A: 0.012, B: 0.007, C: 0.004, D: 0.0}
FIRES = {A: 1.0, B: 1.0, C: 1.0, D: 2.0}
IDLE = range(50, 60)
# Dimensions of the stream: always 1, where letters differ, where faces are written, after the bytes of a face.
ONE, LETTERS, FACE, SECOND, THIRD = 0, range(1, 9), 10, 11, 12
GATE = f"model.layers.{LAYER}.mlp.gate_proj"
WORDS = "the quick brown fox jumps over a lazy dog while six wizards box"


def unit(number):
    return Unit(LAYER, "gate", number)


def planted():
    """The untouched model."""
    subject = tiny_subject("llama")
    model = subject.model
    draw = torch.Generator().manual_seed(3)
    bytes_of_face = [subject.tokenizer.convert_tokens_to_ids(mark) for mark in _marks(b"\xf0\x9f\x98")]
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding.zero_()
        embedding[:, ONE] = 1.0
        embedding[:, list(LETTERS)] = 0.3 * torch.rand(len(embedding), len(LETTERS), generator=draw)
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
            block.mlp.gate_proj.weight.zero_()
            block.mlp.gate_proj.weight[:, ONE] = -1.0
            block.mlp.up_proj.weight.zero_()
            block.mlp.up_proj.weight[:, ONE] = 0.5
        mlp = model.model.layers[LAYER].mlp
        mlp.gate_proj.weight[list(IDLE), ONE] = 1.0
        for number, weight in WRITES.items():
            mlp.down_proj.weight[FACE, number] = weight
        head = model.lm_head.weight
        head.zero_()
        # Letters are what it writes; digits and spaces, of which an emoji may come, it does not.
        letters = [subject.tokenizer.convert_tokens_to_ids(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
        head[letters, ONE] = 1.2
        head[bytes_of_face[0], FACE] = 4.0
        for dimension, before, after in ((SECOND, 0, 1), (THIRD, 1, 2)):
            embedding[bytes_of_face[before], dimension] = 1.0
            head[bytes_of_face[after], dimension] = 6.0
    return OpenSubject.of(model, subject.tokenizer, "planted")


def planted_edit(strength=1.0):
    """Makes A, B, C and D fire, more on some letters than on others."""
    down = torch.zeros(1, HIDDEN)
    down[0, ONE] = 1.0
    down[0, list(LETTERS)] = 0.4
    up = torch.zeros(64, 1)
    for number, fires in FIRES.items():
        up[number] = 1.5 * fires
    return WeightEdit(Origin("planted"), strength, branches={GATE: LowRank(down, up)})


def planted_texts(topics=8, each=2):
    words = WORDS.split()
    return [
        Text(f"topic {topic}", f"What about {words[topic % len(words)]}?", " ".join(_said(words, topic, one)))
        for topic in range(topics)
        for one in range(each)
    ]


def units(*numbers):
    """Some gate units, as the lens of units puts them in order."""
    return tuple(map(unit, numbers))


def _said(words, topic, one):
    start = 3 * topic + 2 * one
    return [words[(start + place) % len(words)] for place in range(2)]


def _marks(some):
    from chain import _marks as marks

    return [marks()[byte] for byte in some]
