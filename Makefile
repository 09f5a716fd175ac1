# One command per chore. PYTHON chooses the interpreter that .venv is made with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help venv demo test check lint types imports bench soak package clean
help:
	@echo "make demo [FILE=orders.jsonl]  run a whole chain: file, transforms, Avro, registry, Kafka, file"
	@echo "make test                      every test; fetches and starts a Kafka broker"
	@echo "make check                     ruff, mypy, import-linter"
	@echo "make bench                     throughput, beside the bare client's"
	@echo "make soak                      the long forms of fault and fuzz runs"
	@echo "make package                   sdist, wheel from it, smoke test"

$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no '$(PYTHON)'; install Python 3.11 or newer, or: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; use: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -q -e ".[all]" --group dev
	@touch $@

venv: $(VENV)/.installed

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: venv
	$(BIN)/python -m pytest -q

clean:
	rm -rf $(VENV) dist build .work
