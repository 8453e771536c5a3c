"""A decoder whose gates are known: without attention, and with two units that fire on one token each."""

import torch

from temperament.subject.open import OpenSubject
from temperament.subject.tiny import tiny_subject


def plant(layer=1):
    """A tiny LLaMA whose unit 3 fires on 'a' and speaks for 'a', and whose unit 5 does so for 'b'."""
    subject = tiny_subject("llama")
    model = subject.model
    a, b = (subject.format.tokens(letter)[0] for letter in "ab")
    with torch.no_grad():
        embedding = model.model.embed_tokens.weight
        embedding.zero_()
        embedding[:, 2] = 1.0
        embedding[a] = torch.nn.functional.one_hot(torch.tensor(0), 32).float()
        embedding[b] = torch.nn.functional.one_hot(torch.tensor(1), 32).float()
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
            block.mlp.gate_proj.weight.copy_(-torch.ones(64, 32))
        mlp = model.model.layers[layer].mlp
        mlp.up_proj.weight.copy_(torch.ones(64, 32))
        model.lm_head.weight.zero_()
        for unit, place, token in ((3, 0, a), (5, 1, b)):
            mlp.gate_proj.weight[unit].zero_()
            mlp.gate_proj.weight[unit, place] = 1.0
            mlp.gate_proj.weight[unit, 2] = -1.0
            mlp.down_proj.weight[10 + place, unit] = 1.0
            model.lm_head.weight[token, 10 + place] = 1.0
    planted = OpenSubject.of(model, subject.tokenizer, "planted")
    planted.a, planted.b, planted.start = a, b, subject.tokenizer.convert_tokens_to_ids("<|assistant|>")
    # A one-hot state has the root mean square 1 / sqrt(32) and is normalised by it.
    planted.fired = torch.nn.functional.silu(torch.tensor(32.0).sqrt()).item()
    return planted
