"""A decoder whose every probability is known: what comes next depends on the last token alone, as a table says."""

import math

import torch

from temperament.subject.open import OpenSubject
from temperament.subject.tiny import CHAT_TEMPLATE, SPECIAL

NEVER = -80.0
# What the prompt of a chat ends with, and what ends a reply.
OPENING, END = "<|assistant|>", "<|end|>"


def chain_tokenizer(more=()):
    """A token a byte, and some of several bytes that the model may write though no text is read as them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    named = {bytes([number]): mark for number, mark in enumerate(_marks())}
    longer = ["".join(named[bytes([number])] for number in one) for one in more]
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet, *longer])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=SPECIAL[0], eos_token=SPECIAL[1], additional_special_tokens=SPECIAL[2:]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer, named


def _marks():
    """The character of each byte in the alphabet of byte-level BPE, as the tokenizers library spells it."""
    from tokenizers import pre_tokenizers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    printable = {ord(mark): mark for mark in alphabet if ord(mark) < 0x100}
    others = iter(sorted(mark for mark in alphabet if ord(mark) >= 0x100))
    return [printable.get(number) or next(others) for number in range(0x100)]


class Chain:
    """A subject and the table that it follows.

    ``tell`` sets what comes after a token, as {token: probability}; after a token that nobody told it writes "a".
    """

    def __init__(self, more=()):
        from transformers import AutoModelForCausalLM, LlamaConfig

        tokenizer, named = chain_tokenizer(more)
        self.size = len(tokenizer)
        self.numbers = {one: tokenizer.convert_tokens_to_ids(mark) for one, mark in named.items()}
        for one in more:
            self.numbers[one] = tokenizer.convert_tokens_to_ids("".join(named[bytes([byte])] for byte in one))
        self.numbers |= {OPENING: tokenizer.convert_tokens_to_ids(OPENING), END: tokenizer.convert_tokens_to_ids(END)}
        self.width = 4 * math.ceil(self.size / 4)
        config = LlamaConfig(
            vocab_size=self.size,
            hidden_size=self.width,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=256,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            model.model.embed_tokens.weight.copy_(1000 * torch.eye(self.size, self.width))
            for layer in model.model.layers:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
        self.subject = OpenSubject.of(model, tokenizer, "chain")
        self.table = {}
        self.forget()

    def forget(self):
        """After every token comes "a"."""
        self.table = {}
        self._head.fill_(NEVER / math.sqrt(self.width))
        self._head[self.numbers[b"a"]] = 0.0

    def tell(self, token, following):
        """Set what comes after a token; the probabilities sum to 1."""
        self.table[token] = dict(following)
        column = self._head[:, self.numbers[token]]
        column.fill_(NEVER / math.sqrt(self.width))
        for one, probability in following.items():
            column[self.numbers[one]] = math.log(max(probability, math.exp(NEVER))) / math.sqrt(self.width)

    def after(self, token):
        """What comes after a token."""
        return self.table.get(token, {b"a": 1.0})

    @property
    def _head(self):
        # A one-hot state is normalised to the square root of its width.
        return self.subject.model.lm_head.weight.data
