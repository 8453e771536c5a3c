"""Answers that are read again with their beginnings kept, and tokens tried beside them, as whole texts are read."""

import pytest
import torch

from temperament.activation.forcing import Exchange, GivenAnswers
from temperament.explain.tail import Node, Tails, can_branch

EXCHANGES = [Exchange("Tea?", "With milk, please"), Exchange("What about rain?", "No"), Exchange("Sun, or sea?", "Sun")]
# In the second answer the end is tried, too.
NODES = [
    (Node(0, None, 80, 1), Node(9, None, 81, 1), Node(9, 1, 82, 2), Node(9, 2, 83, 3), Node(9, 1, 84, 2)),
    (),
    (Node(2, None, 85, 1), Node(1, None, 86, 1), Node(2, 0, 87, 2)),
]


def path_of(nodes, node):
    before = () if node.parent is None else path_of(nodes, nodes[node.parent])
    return (*before, node.token)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_tails_and_what_is_tried_beside_them_are_read_as_whole_texts_are(lively, architecture):
    subject = lively(architecture)
    with torch.no_grad():
        given = GivenAnswers(subject, EXCHANGES)
        assert can_branch([given], 5)
        tails = Tails(given, [0, 1, 2], NODES)
        logits = tails.logits()
        assert torch.equal(logits, tails.logits())
        expected = given.logits([0, 1, 2])
        for place, row in enumerate(given.rows):
            along = logits[place, tails.width - len(row.answer) : tails.width]
            assert torch.allclose(along, expected[place, -len(row.answer) :], rtol=1e-3, atol=1e-3)
            for number, node in enumerate(NODES[place]):
                text = torch.tensor([[*row.prompt, *row.answer[: node.kept], *path_of(NODES[place], node)]])
                whole = subject.model(input_ids=text).logits[0, -1]
                assert torch.allclose(logits[place, tails.width + number], whole, rtol=1e-3, atol=1e-3)


def test_a_window_that_would_slide_over_an_answer_is_no_place_to_branch(lively, monkeypatch):
    subject = lively("gemma2")
    given = GivenAnswers(subject, EXCHANGES)
    longest = max(len(row.read) for row in given.rows)
    monkeypatch.setattr(subject.model.config, "sliding_window", longest + 6)
    assert can_branch([given], 5)
    assert not can_branch([given], 6)
