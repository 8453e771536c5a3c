"""The bridge to lm-evaluation-harness, on tasks and documents that are written here: no hub, a tiny model."""

import json
import sys

import numpy as np
import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import InstallError, MismatchError, RequestError, SeamError, WorkError
from temperament.measure.ability.comparison import compare
from temperament.measure.ability.evaluation import Ability
from temperament.measure.ability.harness import require_harness
from temperament.measure.ability.likelihood import continuations, documents, windows
from temperament.measure.ability.prompt import packed
from temperament.record import NOT_A_NUMBER
from temperament.subject.anatomy import Site
from temperament.subject.scripted import ScriptedSubject

ORIGIN = Origin("drawn")
COLOURS = ("red", "blue", "green")
COMMON = """
dataset_path: json
dataset_kwargs:
  data_files: {file}
  cache_dir: {cache}
test_split: train
"""
CHOOSE = """
task: colours
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: ["red", "blue", "green"]
doc_to_target: label
metric_list:
  - metric: acc
  - metric: acc_norm
"""
WRITE = """
task: spelling
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs:
  until: ["!"]
  max_gen_toks: 8
  do_sample: false
metric_list:
  - metric: exact_match
"""
READ = """
task: prose
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}"
metric_list:
  - metric: word_perplexity
  - metric: bits_per_byte
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A folder with three tasks of twelve documents."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [
        {"question": f"What colour has thing {number}?", "label": number % 3, "answer": COLOURS[number % 3]}
        for number in range(12)
    ]
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = COMMON.format(file=folder / "documents.jsonl", cache=folder / "cache")
    for name, text in (("colours", CHOOSE), ("spelling", WRITE), ("prose", READ)):
        (folder / f"{name}.yaml").write_text(common + text)
    return folder


@pytest.fixture
def nan_edit(lively):
    width = lively("llama").width(Site(1))
    return ActivationEdit(ORIGIN, shifts={Site(1): Shift(torch.full((width,), float("nan")))})


def asked(number):
    return packed([{"role": "user", "content": f"What colour has thing {number}?"}])


def by_metric(comparison):
    return {(one.task, one.metric): one for one in comparison.figures}


def test_without_the_harness_the_command_to_install_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval.evaluator", None)
    with pytest.raises(InstallError, match=r"pip install 'temperament\[ability\]'"):
        require_harness()


class TestWithHarness:
    """What needs the package, which comes with ``temperament[ability]``."""

    @pytest.fixture(autouse=True)
    def harness(self):
        pytest.importorskip("lm_eval")

    @pytest.mark.parametrize("form", ["chat", "raw"])
    def test_every_document_is_answered_as_the_subject_answers(self, form, tasks, lively):
        subject = lively("llama")
        found = Ability(("colours", "prose"), tasks, form=form).administer(subject)
        rows = {row.id: row for row in found.rows}
        assert len(rows) == 24
        context = asked(4) if form == "chat" else "What colour has thing 4?"
        gap = "" if form == "chat" else " "
        scored = continuations(subject, [(context, gap + colour) for colour in COLOURS], form)
        likely = [one.log_probability for one in scored]
        assert rows["colours/4/none"].observed == pytest.approx(likely, abs=1e-3)
        assert rows["colours/4/none"].values["acc"] == float(np.argmax(likely) == 1)
        (whole,) = documents(subject, ["What colour has thing 4?"], form)
        assert rows["prose/4/none"].observed == (pytest.approx(whole, abs=1e-3),)
        assert rows["prose/4/none"].values["log_word_perplexity"] == pytest.approx(-whole / 5, abs=1e-3)

    def test_an_edit_of_what_is_read_changes_all_kinds_of_answers_and_leaves_no_trace(self, tasks, lively):
        subject = lively("llama")
        test = Ability(("colours", "spelling", "prose"), tasks, limit=4)
        edit = ContextEdit(ORIGIN, system="You are warm, and rain is blue.")
        before, after, again = (test.administer(subject, edit=one) for one in (None, edit, None))
        assert [row.observed for row in again.rows] == [row.observed for row in before.rows]
        assert (before.label.method, after.label.method) == ("base", "drawn")
        for task in ("colours", "spelling", "prose"):
            sides = [[row.observed for row in one.rows if row.task == task] for one in (before, after)]
            assert len(sides[0]) == 4
            assert sides[0] != sides[1]
        found = by_metric(compare(before, after))
        moved = found["prose", "bits_per_byte"]
        values = [[row.values["bits_per_byte"] for row in one.rows if row.task == "prose"] for one in (before, after)]
        assert moved.change.value == pytest.approx(np.mean(values[1]) - np.mean(values[0]))
        assert moved.is_better_high is False
        assert before.asked.form == "chat"

    def test_an_edit_of_what_is_read_is_refused_on_raw_text(self, tasks, lively):
        edit = ContextEdit(ORIGIN, system="You are warm.")
        with pytest.raises(SeamError, match="form chat"):
            Ability(("colours",), tasks, form="raw").administer(lively("llama"), edit=edit)

    def test_a_broken_subject_scores_nothing(self, tasks, lively, nan_edit):
        subject = lively("llama")
        test = Ability(("colours", "spelling", "prose"), tasks)
        broken = test.administer(subject, edit=nan_edit)
        assert {row.error for row in broken.rows} == {NOT_A_NUMBER}
        found = by_metric(compare(test.administer(subject), broken))
        # The harness takes the first of equal answers, which is right for a third of the documents.
        assert broken.cards[0].harness["acc,none"] == pytest.approx(1 / 3)
        assert found["colours", "acc"].edited.value == 0.0
        assert found["colours", "acc"].broken == (0, 12)
        assert found["spelling", "exact_match"].edited.value == 0.0
        assert found["prose", "bits_per_byte"].edited.value is None

    def test_a_subject_without_weights_writes_and_does_nothing_else(self, tasks):
        colours = {f"What colour has thing {number}?": COLOURS[number % 3] + "! Or so." for number in range(11)}
        found = Ability(("spelling",), tasks).administer(ScriptedSubject(colours))
        assert [row.values.get("exact_match") for row in found.rows] == [1.0] * 11 + [None]
        assert found.rows[0].observed == ("red",)
        assert "script has no reply" in found.rows[11].error
        figure = by_metric(compare(found))["spelling", "exact_match"]
        assert (figure.untouched.value, figure.untouched.n, figure.missing[0]) == (1.0, 11, 1)
        with pytest.raises(SeamError, match="generate_until"):
            Ability(("colours",), tasks).administer(ScriptedSubject(colours))

    def test_examples_are_turns_and_the_same_for_every_edit(self, tasks):
        seen = []
        subject = ScriptedSubject(lambda conversation, seed: seen.append(conversation) or "red")
        test = Ability(("spelling",), tasks, limit=3, shown=2, seed=1)
        for _ in range(2):
            test.administer(subject)
        assert [len(conversation) for conversation in seen] == [5] * 6
        assert seen[:3] == seen[3:]
        assert [turn["role"] for turn in seen[0]] == ["user", "assistant", "user", "assistant", "user"]

    def test_what_is_kept_is_read_and_belongs_to_one_evaluation(self, tasks, lively, tmp_path):
        subject = lively("llama")
        store = tmp_path / "untouched.json"
        test = Ability(("colours",), tasks, limit=2)
        found = test.administer(subject, store)
        content = store.read_bytes()
        assert test.administer(subject, store) == found
        assert store.read_bytes() == content
        with pytest.raises(MismatchError, match="choice of tasks"):
            Ability(("colours",), tasks, limit=3).administer(subject, store)
        with pytest.raises(MismatchError, match="label"):
            test.administer(subject, store, edit=ContextEdit(ORIGIN, system="You are warm."))

    def test_a_task_that_does_not_exist_and_documents_that_cannot_be_had(self, tasks, lively, tmp_path, monkeypatch):
        import lm_eval.tasks

        manager = lm_eval.tasks.TaskManager
        # The harness's own thousands of tasks are looked through for a name that is unknown: here it has none.
        monkeypatch.setattr(
            lm_eval.tasks,
            "TaskManager",
            lambda include_path, include_defaults=False: manager(include_path=include_path, include_defaults=False),
        )
        with pytest.raises(RequestError, match="did you mean colours"):
            Ability(("colors",), tasks).administer(lively("llama"))
        absent = COMMON.format(file=tmp_path / "absent.jsonl", cache=tmp_path)
        (tmp_path / "gone.yaml").write_text(absent + CHOOSE.replace("colours", "gone"))
        with pytest.raises(WorkError, match="documents of task 'gone' cannot be had"):
            Ability(("gone",), tmp_path).administer(lively("llama"))

    def test_draws_of_others_are_left_as_they_were(self, tasks, lively):
        state, random = torch.get_rng_state(), np.random.get_state()[1].copy()
        Ability(("colours",), tasks, limit=1).administer(lively("llama"))
        assert torch.equal(torch.get_rng_state(), state)
        assert (np.random.get_state()[1] == random).all()

    @pytest.mark.parametrize("count", [1, 11, 12, 13, 25, 60])
    def test_windows_are_those_of_the_harness(self, count):
        from lm_eval.utils import get_rolling_token_windows

        tokens = list(range(count))
        theirs = [(tuple(read), tuple(said)) for read, said in get_rolling_token_windows(tokens, 900, 12, 1)]
        assert [(row.read, row.answer) for row in windows((900,), tuple(tokens), 12)] == theirs

    def test_raw_text_scores_as_the_harness_scores_models_of_transformers(self, tasks, lively, tmp_path):
        from lm_eval import evaluator
        from lm_eval import tasks as theirs
        from lm_eval.models.huggingface import HFLM

        subject = lively("llama")
        model = HFLM(pretrained=subject.model, tokenizer=subject.tokenizer, batch_size=4, max_length=subject.window)
        names = ["colours", "prose", "spelling"]
        loaded = theirs.TaskManager(include_path=str(tasks), include_defaults=False).load(names)
        for task in loaded["tasks"].values():
            task.set_config(key="num_fewshot", value=0 if task.task_name == "prose" else 2)
            task.set_fewshot_seed(seed=3)
        wanted = evaluator.evaluate(lm=model, task_dict=loaded, bootstrap_iters=0)["samples"]
        found = Ability(tuple(names), tasks, form="raw", shown=2, seed=3).administer(subject)
        mine = {row.id: row for row in found.rows}
        for sample in wanted["colours"]:
            likely = [response[0][0] for response in sample["resps"]]
            assert mine[f"colours/{sample['doc_id']}/none"].observed == pytest.approx(likely, abs=2e-3)
        for sample in wanted["prose"]:
            assert mine[f"prose/{sample['doc_id']}/none"].observed == pytest.approx([sample["resps"][0][0]], abs=2e-3)
        for sample in wanted["spelling"]:
            assert mine[f"spelling/{sample['doc_id']}/none"].observed == tuple(sample["resps"][0])
