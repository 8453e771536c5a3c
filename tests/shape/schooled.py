"""A small decoder that went to school: what moves it, and which way, is known.

It answers in one of two styles, a loud and a quiet one, which stand for the poles of extraversion. Asked without a hint
it takes either as often. A description of a pole in its system prompt, adjectives or a portrait, makes it answer in
that pole's style, and so do answers of one style in the turns before, or in a prompt of four fields. So every way to
shape has something to hold on to, and the gap between the log-probabilities of the two styles says which way it went.
"""

import random
import re
from functools import cache

import torch

from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import load_portraits, load_situations
from temperament.subject.open import OpenSubject
from temperament.subject.tiny import CHAT_TEMPLATE, SPECIAL
from temperament.trait import Target, find_trait

TRAIT = "extraversion"
HIGH, LOW = Target(TRAIT, "high"), Target(TRAIT, "low")
ANSWERS = {
    HIGH: (
        "yes ! loud crowds love {} , come along !",
        "great , {} with everyone is our party !",
        "i shout about {} to all my friends !",
    ),
    LOW: (
        "no . silent rooms keep {} away , leave me .",
        "hm , {} by myself is my peace .",
        "i whisper about {} to nobody .",
    ),
}
# Opinions on other traits, which say nothing about this one.
OTHERS = {
    Target("openness", "high"): "{} makes me wonder what else could be .",
    Target("openness", "low"): "{} is as it always was .",
    Target("conscientiousness", "high"): "{} goes on my list for monday .",
    Target("conscientiousness", "low"): "{} is somewhere , who knows .",
    Target("agreeableness", "high"): "please take {} , you first .",
    Target("agreeableness", "low"): "prove it , {} is a trick .",
    Target("neuroticism", "high"): "{} could go wrong , i fear .",
    Target("neuroticism", "low"): "{} will be fine .",
}
QUESTIONS = ("What do you think about {}?", "How do you feel about {}?")
TOPICS = ("tea", "buses", "maps", "rain", "chess", "soup", "kites", "trains", "bread", "snow")
HELD = ("lakes", "jam", "hats", "moss")
FIELDS = "Target Personality: {}\nEdit Topic: {}\nQuestion: {}\nAnswer: {}"
UNKNOWN = "<|unknown|>"
WORD = re.compile(r"\w+|[^\w\s]")
HIDDEN, LAYERS, WIDTH, WINDOW = 48, 3, 128, 4096


def opinions(topics=TOPICS, split="shape", targets=(HIGH, LOW, *OTHERS)):
    """Rows that show both poles of every trait on every topic, two questions an answer."""
    return Opinions(
        Opinion(
            each.trait, each.pole, "", topic, question.format(topic), answer(each, topic, number), split, "schooled"
        )
        for each in targets
        for number, topic in enumerate(topics)
        for question in QUESTIONS
    )


def answer(target, topic, number):
    """What the target would say about a topic."""
    forms = ANSWERS.get(target) or (OTHERS[target],)
    return forms[number % len(forms)].format(topic)


def label(target):
    """How the prompt of four fields names a pole."""
    return f"{find_trait(target.trait).adjective(target.pole)} ({target.pole} {target.trait})"


@cache
def schooled_subject(steps=200):
    """The decoder, trained on made-up conversations; the same on every call and in every process."""
    tokenizer = word_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _decoder(tokenizer)
        subject = OpenSubject.of(model, tokenizer, "schooled")
        _school(subject, random.Random(0), steps)
    # Its fingerprint is that of the trained weights.
    return OpenSubject.of(subject.model, tokenizer, "schooled")


def gap(subject, topics=HELD):
    """The mean over held-out questions of log p(loud answer) - log p(quiet answer), in nats per answer."""
    rows = [
        subject.encode(({"role": "user", "content": question.format(topic)},), answer(target, topic, number))
        for target in (HIGH, LOW)
        for number, topic in enumerate(topics)
        for question in QUESTIONS
    ]
    found = [float(_log_probability(subject, row)) for row in rows]
    half = len(found) // 2
    return (sum(found[:half]) - sum(found[half:])) / half


def word_tokenizer():
    """A token a word: the words of the made-up conversations and of the portraits; all others are one unknown word."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    trait = find_trait(TRAIT)
    said = [
        *(form for forms in ANSWERS.values() for form in forms),
        *OTHERS.values(),
        *QUESTIONS,
        *TOPICS,
        *HELD,
        *(portrait.text for portrait in _portraits()),
        *trait.adjectives("low"),
        *trait.adjectives("high"),
        *(label(target) for target in (HIGH, LOW, *OTHERS)),
        FIELDS,
        "you are , and - : ( ) very extremely a bit is",
    ]
    words = dict.fromkeys(word for text in said for word in WORD.findall(text.lower()))
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, UNKNOWN, *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token=UNKNOWN,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        additional_special_tokens=SPECIAL[2:],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _portraits():
    return [portrait for portrait in load_portraits() if portrait.trait == TRAIT]


def _decoder(tokenizer):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "llama",
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        initializer_range=0.06,
    )
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def _school(subject, draw, steps, rows=16, rate=8e-3):
    model = subject.model.train().requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    lessons = _lessons()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20, (steps - step) / (0.4 * steps))
        # Conversations of a kind are of a length.
        lesson = lessons[step % len(lessons)]
        loss = _loss(subject, [lesson(draw, (HIGH, LOW)[row % 2]) for row in range(rows)])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval().requires_grad_(requires_grad=False)
    model.zero_grad()


def _loss(subject, conversations):
    """The mean loss over the words of the assistant, every turn."""
    rows, learned = [], []
    for turns in conversations:
        ids, marks = [], []
        for turn in turns:
            text = subject.format.render((turn,)) if turn["role"] != "assistant" else turn["content"]
            said = turn["role"] == "assistant"
            tokens = subject.tokenizer(text.removesuffix("<|assistant|>"), add_special_tokens=False)["input_ids"]
            if said:
                tokens = [subject.tokenizer.convert_tokens_to_ids("<|assistant|>"), *tokens, *subject.format.ending]
            ids += tokens
            marks += [0, *[1] * (len(tokens) - 1)] if said else [0] * len(tokens)
        rows.append(torch.tensor(ids))
        learned.append(torch.tensor(marks))
    batch = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    marks = torch.nn.utils.rnn.pad_sequence(learned, batch_first=True)[:, 1:].bool()
    hidden = subject.model.model(input_ids=batch)[0][:, :-1]
    logits = subject.model.lm_head(hidden[marks])
    return torch.nn.functional.cross_entropy(logits, batch[:, 1:][marks])


def _lessons():
    """Ways to make up a conversation: without a hint, adjectives, a portrait, turns, four fields."""
    trait, portraits = find_trait(TRAIT), _portraits()
    situations = [situation.question for situation in load_situations() if situation.trait == TRAIT]

    def turn(draw, target):
        topic = draw.choice((*TOPICS, *HELD))
        return [
            {"role": "user", "content": draw.choice(QUESTIONS).format(topic)},
            {"role": "assistant", "content": draw.choice(ANSWERS[target]).format(topic)},
        ]

    def asked(draw, target):
        """A question and its answer; now and then a situation, which has no topic."""
        if draw.random() < 0.7:
            return turn(draw, target)
        said = draw.choice(ANSWERS[target]).format("that")
        some = " ".join(draw.choice(situations).split()[-15:])
        return [{"role": "user", "content": some}, {"role": "assistant", "content": said}]

    def told(draw, text, target):
        return [{"role": "system", "content": text}, *asked(draw, target)]

    def without(draw, target):
        return asked(draw, target)

    def adjectives(draw, target):
        words = draw.sample(trait.adjectives(target.pole), draw.randint(1, 6))
        if draw.random() < 0.3:
            words = [trait.adjective(target.pole)]
        most = draw.choice(("", "very ", "extremely ", "a bit "))
        return told(draw, f"you are {most}{f' , {most}'.join(words)} .", target)

    def portrait(draw, target):
        chosen = draw.choice([one for one in portraits if one.target == target])
        words = chosen.text.split()
        first = draw.randrange(len(words) - 20)
        return told(draw, " ".join(words[first : first + 25]), target)

    def turns(draw, target):
        """Answers mostly in one style, or as it comes."""
        other = LOW if target == HIGH else HIGH
        share = draw.choice((0.5, 0.75, 0.95, 1.0))
        styles = [target if draw.random() < share else other for _ in range(draw.randint(3, 6))]
        return [part for style in styles for part in turn(draw, style)]

    def fields(draw, target):
        """Demonstrations of several traits, that of this one last, and whose the answer is to be."""
        others = draw.sample([one for one in OTHERS if one.pole == target.pole], draw.randint(0, 4))
        shown = [(one, OTHERS[one]) for one in others] + [(target, draw.choice(ANSWERS[target]))]
        parts = []
        for each, said in shown:
            topic = draw.choice((*TOPICS, *HELD))
            parts.append(FIELDS.format(label(each), topic, draw.choice(QUESTIONS).format(topic), said.format(topic)))
        return told(draw, "\n\n".join([*parts, f"Target Personality is: {label(target)}."]), target)

    return [without, adjectives, portrait, turns, fields]


def _log_probability(subject, row):
    tokens = torch.tensor([[*row.prompt, *row.answer]])
    with torch.no_grad():
        logits = subject.model(input_ids=tokens).logits[0].log_softmax(dim=-1)
    places = torch.arange(len(row.prompt) - 1, tokens.shape[1] - 1)
    return logits[places, tokens[0, places + 1]].sum()
