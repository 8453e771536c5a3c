"""A whole encoder is tuned, kept without a pickle, and used wherever a reader of poles is."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from temperament.errors import BadFileError, InstallError, MismatchError, RequestError, TrainingError
from temperament.measure.alignment import DoubtfulReader, TraitAlignment
from temperament.measure.encoder import (
    LEARNED,
    NOTE,
    EncoderNote,
    EncoderTraining,
    LogitDoubt,
    LogitHead,
    load_encoder,
)
from temperament.measure.stock import trait_classifier
from temperament.measure.traitless import FIRST_SENTENCES, PORTRAITS, Traitless
from temperament.measure.tuning import train_encoder
from temperament.opinion.row import Opinion, Opinions
from temperament.record import Generation, Label, Record, read_json
from temperament.trait import Target, Trait, register

SAYINGS = {
    "extraversion:high": "party crowd dance",
    "extraversion:low": "alone quiet book",
    "openness:high": "dream paint poem",
}
NEUTRAL = ("river stone metre", "train litre copper")
WORDS = sorted(
    {word for text in (*SAYINGS.values(), *NEUTRAL, "we like the place now and then") for word in text.split()}
)
QUICK = EncoderTraining(learning_rate=5e-3, batch=8, epochs=12, patience=12, warmup=0.1, max_tokens=16)


def opinion(label, topic, answer, split):
    target = Target.parse(label)
    return Opinion(target.trait, target.pole, "", topic, "Q?", answer, split, "me")


def said(split, count, labels=SAYINGS):
    """Answers of the words of a pole, in another order each time, with a filler."""
    draw = np.random.default_rng(len(split))
    return [
        opinion(
            label, f"{split} {number}", " ".join(draw.permutation([*SAYINGS[label].split(), "the", "place"])), split
        )
        for number in range(count)
        for label in labels
    ]


OPINIONS = Opinions([*said("measure", 12), *said("validation", 8), *said("test", 6)])


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A random BERT whose tokenizer knows the words of these tests."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    inner = Tokenizer(models.WordLevel({name: code for code, name in enumerate(names)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=32, **special).save_pretrained(folder)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    # Larger weights than a real one begins with: so small a model would take long to tell words apart.
    shape |= {"initializer_range": 0.3}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(BertConfig(vocab_size=len(names), max_position_embeddings=32, **shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_texts_without_a_trait():
    """Tuning takes seconds: two dozen texts of words that no pole has."""
    draw = np.random.default_rng(0)
    texts = tuple(
        Traitless("facts", f"fact {number}", " ".join(draw.permutation([*NEUTRAL[number % 2].split(), "the", "place"])))
        for number in range(24)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("temperament.measure.tuning.traitless", lambda rows, use: texts)
        patch.setattr("temperament.measure.tuning.carriers", lambda rows, labels, use: {})
        yield


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "reader"
    steps = []
    train_encoder(OPINIONS, str(base), folder, QUICK, progress=lambda done, most: steps.append((done, most)))
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert steps[-1][0] <= steps[-1][1]
    return folder


def test_a_tuned_encoder_tells_poles_apart_and_is_unsure_of_what_has_none(folder):
    """The sign: high is high, and facts are doubted."""
    reader = load_encoder(folder)
    assert isinstance(reader, DoubtfulReader)
    found = reader.probabilities(list(SAYINGS.values()))
    assert found.sum(axis=1) == pytest.approx(np.ones(3))
    assert [reader.labels[best] for best in found.argmax(axis=1)] == list(SAYINGS)
    assert reader.unsure([*SAYINGS.values(), *NEUTRAL]).tolist() == [False] * 3 + [True] * 2


def test_loading_gives_what_was_trained_and_the_folder_holds_no_pickle(base, tmp_path):
    tuned = train_encoder(OPINIONS, str(base), tmp_path / "one", replace(QUICK, epochs=1))
    again = load_encoder(tmp_path / "one")
    texts = ["party crowd", "river stone", ""]
    assert np.array_equal(tuned.probabilities(texts), again.probabilities(texts))
    assert tuned.unsure(texts).tolist() == again.unsure(texts).tolist()
    assert tuned == again
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"model.safetensors", "config.json", NOTE, LEARNED} <= files
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_same_seed_trains_the_same_encoder(base, tmp_path):
    quick = replace(QUICK, epochs=1)
    found = [
        train_encoder(OPINIONS, str(base), tmp_path / str(place), quick, seed).probabilities(["party", "book"])
        for place, seed in enumerate((3, 3, 4))
    ]
    assert np.array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_it_stops_where_held_out_answers_get_no_better_and_keeps_the_best(base, tmp_path):
    wild = replace(QUICK, learning_rate=0.5, epochs=30, patience=2, warmup=0.0)
    train_encoder(OPINIONS, str(base), tmp_path / "wild", wild)
    note = read_json(tmp_path / "wild" / NOTE, EncoderNote)
    losses = [epoch.held_out_loss for epoch in note.epochs]
    assert len(losses) < 30
    assert losses.index(min(losses)) == len(losses) - 3


def test_validation_counts_as_seen_and_test_does_not(folder):
    reader = load_encoder(folder)
    assert reader.splits == ("measure", "validation")
    card = reader.card(OPINIONS)
    assert [found.rows for found in card.assessments] == ["test", FIRST_SENTENCES, PORTRAITS]
    assert card.assessments[0].poles.value > 0.9
    assert card.learned_from == "unique answers of the splits 'measure' and 'validation'"
    assert (card.word_weight, card.inverse_penalty) == (None, None)
    assert card.coverage == 0.9
    assert load_encoder(folder).card().assessments == ()


def test_without_validation_some_topics_are_held_back(base, tmp_path):
    reader = train_encoder(Opinions(said("measure", 12)), str(base), tmp_path / "x", replace(QUICK, epochs=1))
    assert reader.splits == ("measure",)
    assert len(reader.learned) == 36
    # Three held-out answers are too few to promise that nine in ten are sure.
    assert read_json(tmp_path / "x" / NOTE, EncoderNote).bound is None
    assert not reader.unsure(["river stone metre"]).any()


def test_a_study_names_it_by_its_folder(folder):
    reader = trait_classifier(OPINIONS, f"encoder:{folder}")
    assert reader.embedder_name == f"encoder:{folder}"
    record = Record("s", "f", "p", Label(), Generation(), "1", "tea", "Tea?", "Tea?", "party dance crowd")
    found = TraitAlignment(reader).measure([record], Target("extraversion"))
    assert {each.metric: each.estimate.value for each in found}["trait_alignment"] == 1.0


def test_topics_that_it_learned_must_neither_shape_nor_be_asked(folder):
    for split in ("shape", "test"):
        rows = Opinions([*OPINIONS, opinion("openness:high", "Measure 3", "dream", split)])
        with pytest.raises(MismatchError, match=f"learned from the topic 'Measure 3', which is in the split '{split}'"):
            trait_classifier(rows, f"encoder:{folder}")


def test_a_trait_of_ones_own_is_known_again_where_the_encoder_is_loaded(base, tmp_path, registered):
    register(Trait("luck", "unlucky", "lucky"))
    rows = [
        opinion(f"luck:{pole}", f"t {n}", SAYINGS[f"extraversion:{pole}"], "measure")
        for n in range(5)
        for pole in ("low", "high")
    ]
    train_encoder(Opinions(rows), str(base), tmp_path / "luck", replace(QUICK, epochs=1))
    del registered["luck"]
    assert load_encoder(tmp_path / "luck").labels == ("luck:low", "luck:high")
    assert "luck" in registered


def test_doubt_is_of_the_logit_of_no_trait_and_temperature_leaves_the_order():
    logits = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 3.0]], np.float32)
    scores = LogitDoubt(0.0, 0.9).scores(logits)
    assert scores[0] == pytest.approx(math.log(math.exp(2) + 1) + 1)
    assert scores[0] > 0 > scores[1]
    sharp, flat = (LogitHead(2, temperature).probabilities(["a", "b"], logits) for temperature in (0.5, 2.0))
    assert sharp[0, 0] > flat[0, 0] > 0.5
    assert flat[1].tolist() == [0.5, 0.5]
    assert LogitHead(2, 1.0).probabilities([], np.zeros((0, 0), np.float32)).shape == (0, 2)


def test_what_is_no_encoder_is_refused(base, tmp_path):
    with pytest.raises(BadFileError, match=r"holds no tuned encoder .*`temperament classifier train"):
        load_encoder(base)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(BadFileError, match="exists and is no encoder"):
        train_encoder(OPINIONS, str(base), tmp_path / "mine", QUICK)
    with pytest.raises(InstallError, match="cannot be loaded"):
        train_encoder(OPINIONS, str(tmp_path / "nothing"), tmp_path / "out", QUICK)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_pickled_weights_are_refused(base, tmp_path):
    (tmp_path / "old").mkdir()
    for path in base.iterdir():
        (tmp_path / "old" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InstallError, match="pickled weights"):
        train_encoder(OPINIONS, str(tmp_path / "old"), tmp_path / "out", QUICK)


def test_a_loss_that_is_no_number_stops_the_training_and_leaves_nothing(base, tmp_path):
    with pytest.raises(TrainingError, match="no finite number in epoch"):
        train_encoder(OPINIONS, str(base), tmp_path / "out", replace(QUICK, learning_rate=1e30, epochs=3, warmup=0.0))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value"), [("learning_rate", 0.0), ("batch", 0), ("warmup", 1.0), ("coverage", 1.0), ("patience", 0)]
)
def test_settings_out_of_range_are_refused(key, value):
    with pytest.raises(RequestError, match=f"{key} is {value}"):
        replace(QUICK, **{key: value})


def test_the_command_trains_shows_how_good_it_is_and_keeps_the_card(base, tmp_path, capsys):
    from temperament.cli import main
    from temperament.opinion.row import write_opinions

    write_opinions(tmp_path / "rows.jsonl", OPINIONS)
    settings = ("--set", "epochs=2", "--set", "learning_rate=0.005", "--set", "max_tokens=16")
    asked = ["classifier", "train", "--encoder", str(base), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        main([*asked, "--opinions", str(tmp_path / "rows.jsonl"), *settings])
    out = capsys.readouterr().out
    assert not ended.value.code
    assert "test, 3 poles: " in out
    assert f"used as encoder:{tmp_path / 'out'}" in out
    assert json.loads((tmp_path / "out" / "card.json").read_text())["poles"] == list(
        load_encoder(tmp_path / "out").labels
    )
