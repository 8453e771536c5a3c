"""Agreement with PEFT, in both directions: it loads what we save, and we load what it saves.

PEFT wraps a copy of the model, so that the shared tiny subjects stay as they are.
"""

import copy

import pytest
import torch

from temperament.edit.store import load_edit

pytestmark = [
    # PEFT sets it itself for Conv1D and says so; the factors are the same either way.
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False but the target module is `Conv1D`"),
    # PEFT asks transformers for a property under its old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]
SAME = {"rtol": 1e-4, "atol": 1e-4}


def by_peft(subject, folder):
    """A copy of the subject whose model PEFT has put the adapter into."""
    from peft import PeftModel

    wrapped = copy.copy(subject)
    wrapped.model = PeftModel.from_pretrained(copy.deepcopy(subject.model), folder).eval()
    return wrapped


@pytest.mark.parametrize("strength", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "phi3"])
def test_peft_loads_what_we_save(architecture, strength, lively, draw, logits_of, tmp_path):
    subject = lively(architecture)
    edit = strength * draw("weight", subject)
    edit.save(tmp_path / "edit")
    with edit.applied(subject):
        ours = logits_of(subject)
    torch.testing.assert_close(logits_of(by_peft(subject, tmp_path / "edit")), ours, **SAME)


@pytest.mark.parametrize(
    ("architecture", "paths"),
    [
        ("llama", ["model.layers.0.mlp.up_proj", "model.layers.2.self_attn.q_proj"]),
        ("llama", ["model.layers.1.mlp.up_proj", "model.layers.1.self_attn.q_proj"]),
        ("gpt2", ["transformer.h.0.mlp.c_proj", "transformer.h.1.mlp.c_proj"]),
    ],
)
def test_peft_adapts_exactly_the_maps_that_we_adapt(architecture, paths, lively, draw, logits_of, tmp_path):
    subject = lively(architecture)
    edit = draw("weight", subject, paths=paths)
    edit.save(tmp_path / "edit")
    wrapped = by_peft(subject, tmp_path / "edit")
    adapted = {name for name, module in wrapped.model.named_modules() if hasattr(module, "lora_A")}
    assert {name.removeprefix("base_model.model.") for name in adapted} == set(paths)
    with edit.applied(subject):
        torch.testing.assert_close(logits_of(wrapped), logits_of(subject), **SAME)


def test_peft_loads_branches_of_different_ranks(lively, draw, logits_of, tmp_path):
    from dataclasses import replace

    subject = lively("llama")
    low, high = draw("weight", subject), draw("weight", subject, seed=1, rank=5)
    branches = {path: (high if ".1." in path else low).branches[path] for path in low.branches}
    edit = 0.3 * replace(low, branches=branches)
    edit.save(tmp_path / "edit")
    with edit.applied(subject):
        ours = logits_of(subject)
    torch.testing.assert_close(logits_of(by_peft(subject, tmp_path / "edit")), ours, **SAME)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("llama", {"target_modules": ["q_proj", "down_proj"]}),
        ("llama", {"target_modules": "all-linear", "use_rslora": True}),
        ("llama", {"target_modules": ["q_proj", "up_proj"], "rank_pattern": {"q_proj": 5, "1.mlp.up_proj": 1}}),
        (
            "llama",
            {
                "target_modules": ["q_proj", "up_proj"],
                "rank_pattern": {"up_proj": 7},
                "alpha_pattern": {r"layers.2.*.q_proj": 3, "q_proj": 20, "layers.1.mlp.up_proj": 1},
                "use_rslora": True,
            },
        ),
        ("llama", {"target_modules": ["v_proj"], "layers_to_transform": [0, 2]}),
        ("llama", {"target_modules": ["v_proj"], "layers_to_transform": [1], "layers_pattern": "layers"}),
        ("gpt2", {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
        ("gpt_neox", {"target_modules": ["query_key_value"], "lora_alpha": 3}),
        ("gemma2", {"target_modules": "all-linear"}),
    ],
)
def test_we_load_what_peft_saves(architecture, settings, lively, logits_of, tmp_path):
    from peft import LoraConfig, get_peft_model

    subject = lively(architecture)
    config = LoraConfig(**{"r": 3, "lora_alpha": 6, "task_type": "CAUSAL_LM", "init_lora_weights": False, **settings})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = get_peft_model(copy.deepcopy(subject.model), config).eval()
    model.save_pretrained(tmp_path / "adapter")
    trained = copy.copy(subject)
    trained.model = model
    expected, untouched = logits_of(trained), logits_of(subject)
    assert (expected - untouched).abs().max() > 0.01
    edit = load_edit(tmp_path / "adapter")
    assert edit.origin.method == "adapter"
    with edit.applied(subject):
        torch.testing.assert_close(logits_of(subject), expected, **SAME)
    edit.save(tmp_path / "ours")
    with load_edit(tmp_path / "ours").applied(subject):
        torch.testing.assert_close(logits_of(subject), expected, **SAME)


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["lm_head"]}])
def test_what_peft_saves_beyond_a_branch_is_refused(settings, lively, tmp_path):
    from peft import LoraConfig, get_peft_model

    from temperament.errors import BadFileError

    config = LoraConfig(target_modules=["q_proj"], **settings)
    get_peft_model(copy.deepcopy(lively("llama").model), config).save_pretrained(tmp_path)
    with pytest.raises(BadFileError, match=next(iter(settings))):
        load_edit(tmp_path)
