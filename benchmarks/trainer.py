"""TRL's SFTTrainer with PEFT, in an environment of its own: trains as a job says and tells what that took.

Run as ``python -m benchmarks.trainer JOB``, where JOB is a JSON file; see ``benchmarks.training``. It imports nothing
of the package that it is compared with.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from benchmarks.row import peak_memory, spent

# What an expert changes: nothing is computed twice, and rows of like length go together, so that little is padded.
TUNED = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length", "logging_strategy": "no"}


def load(folder: Path, device: str) -> Any:
    """The model of a folder; random weights where it holds none."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    if list(folder.glob("*.safetensors")):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=dtype)


def trainer_of(job: dict[str, Any], folder: Path) -> SFTTrainer:
    """A trainer with the rows, rates and ranks of a job, tuned or with its defaults for the rest."""
    model = Path(job["model"])
    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": job["batch"],
        "num_train_epochs": job["epochs"],
        "learning_rate": job["learning_rate"],
        "lr_scheduler_type": "cosine",
        "warmup_steps": job["warmup_steps"],
        "weight_decay": job["weight_decay"],
        "max_grad_norm": job["clip"],
        "completion_only_loss": True,
        # The same precision on both sides: the default would compute in bfloat16 on processors that cannot.
        "bf16": job["device"] == "cuda",
        "use_cpu": job["device"] == "cpu",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        **(TUNED if job["arm"] == "tuned" else {}),
    }
    adapter = LoraConfig(
        r=job["rank"],
        lora_alpha=job["alpha"],
        lora_dropout=job["dropout"],
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    rows = [
        {
            "input_ids": [*row["prompt"], *row["answer"]],
            "completion_mask": [0] * len(row["prompt"]) + [1] * len(row["answer"]),
        }
        for row in job["rows"]
    ]
    return SFTTrainer(
        model=load(model, job["device"]),
        args=SFTConfig(**settings),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=adapter,
    )


def main() -> None:
    """Train, save the adapter, and write seconds and memory where the job says."""
    job = json.loads(Path(sys.argv[1]).read_text())
    trainer = trainer_of(job, Path(job["adapter"]))
    with peak_memory(job["device"]) as memory:
        took = spent(trainer.train)
    trainer.model.save_pretrained(job["adapter"])
    Path(job["told"]).write_text(
        json.dumps({"seconds": took.seconds, "computed": took.computed, "memory": memory[0] if memory else None})
    )


if __name__ == "__main__":
    main()
