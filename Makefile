# One command per chore. PYTHON chooses the interpreter that .venv is made with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q
# A newer interpreter than the oldest supported one, where there is one. It is run, not only looked for: a pyenv shim may be there and refuse.
NEWEST ?= $(shell for p in python3.13 "$$HOME"/.pyenv/versions/3.13*/bin/python3 python3.12 "$$HOME"/.pyenv/versions/3.12*/bin/python3; do \
	"$$p" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$p" && break; done)

.PHONY: help venv demo test test-quick test-servers test-newest check bench bench-peer soak package clean
help:
	@echo "make demo [FILE=orders.jsonl]  run a whole chain: file, transforms, Avro, registry, Kafka, file"
	@echo "make test                      every test; fetches and starts a Kafka broker"
	@echo "make test-quick                the tests that need neither a broker nor a package index"
	@echo "make test-servers              the tests that need a broker, databases or a package index"
	@echo "make test-newest               the core's and connectors' unit tests, vectors and types on a newer Python, where there is one"
	@echo "make check                     ruff, mypy, import-linter"
	@echo "make bench                     throughput, beside the bare client's"
	@echo "make bench-peer                the same configs on the JVM's worker and on this one"
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

demo: venv
	$(BIN)/python examples/quickstart/run.py $(if $(FILE),--file "$(FILE)")

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two halves side by side: one computes, the other mostly waits for servers. Several files of each at a time; those of the
# second half have a broker each. Each half's output comes whole, when it ends.
test: venv
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-quick test-servers

test-servers: venv
	$(PYTEST) -m "broker or packaging" -n 3 --dist loadfile --durations=30 --durations-min=5

test-quick: venv
	$(PYTEST) -m "not broker and not packaging" -n 2 --dist loadfile --durations=20 --durations-min=5

.venv-newest/.installed: pyproject.toml
	"$(NEWEST)" -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install -q --upgrade "pip>=25.1"
	.venv-newest/bin/python -m pip install -q -e ".[all]" --group dev
	@touch $@

ifeq ($(NEWEST),)
test-newest:
	@echo "make: no Python 3.12 or 3.13 found; name one with: make test-newest NEWEST=/path/to/python3.13"
else
# Converters and transforms are met by their vectors. Random input in long hauls has nothing to do with the interpreter's version.
test-newest: .venv-newest/.installed
	.venv-newest/bin/python -m pytest -q -p no:cacheprovider -n 2 --dist loadfile --brief --ignore-glob="*fuzzing.py" \
		tests/unit/core tests/unit/connectors tests/vectors
	.venv-newest/bin/mypy --cache-dir .venv-newest/mypy
endif

soak: venv
	$(PYTEST) --soak

bench: venv
	$(BIN)/python benchmarks/run.py $(BENCH)

bench-peer: venv
	$(BIN)/python benchmarks/peer.py $(PEER)

package: venv
	$(BIN)/python -m build -q --outdir dist .
	$(PYTEST) -m packaging

clean:
	rm -rf $(VENV) .venv-newest dist build .work
