# make demo: everything from nothing. make test: all tests. Both build .venv first, once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.ONESHELL:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.tvface-installed
CORES ?= all
PYTHON ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Containers often forbid Python to keep compiled modules: every job, a process of its own, would compile thousands anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help env demo test lint bench weights lock files

help:
	@echo "make env    build .venv from requirements.lock (Python 3.11 or 3.12 is all it needs)"
	@echo "make demo   env, then everything in config.yaml; the page is results/report.html"
	@echo "make test   env, then all tests"
	@echo "make lint   ruff, mypy, snakefmt, snakemake --lint"
	@echo "make bench  the benchmarks"
	@echo "make weights train the bundled networks anew (two hours)"
	@echo "make lock   resolve requirements*.in anew (needs the network)"
	@echo "make files  write again what is made from the settings and the lock"

env: $(STAMP)

$(STAMP): requirements.lock requirements-uv.lock pyproject.toml workflow/find-python
	python="$$(PYTHON='$(PYTHON)' workflow/find-python)"
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV)
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: env
	$(BIN)/snakemake --cores $(CORES)

test: env
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

bench: env
	$(BIN)/python -m benchmarks

# Some two hours on two cores, by the times on the cards. The shipped weights' own commands are on their cards in resources/weights.
weights: env
	$(BIN)/python -m tvface.bundled.crops --out .cache/crops --count 20000 --seed 0
	$(BIN)/python -m tvface.bundled.train landmarks --crops .cache/crops --steps 9000
	$(BIN)/python -m tvface.bundled.train parser --crops .cache/crops --steps 2500
	$(BIN)/python -m tvface.bundled.faces --out .cache/faces --people 1800 --seed 0
	$(BIN)/python -m tvface.bundled.train identity --crops .cache/faces --steps 1800 --batch 64 --held-out 200
	$(BIN)/python -m tvface.bundled.features deca --crops .cache/crops --steps 3000
	$(BIN)/python -m tvface.bundled.features temporal --crops .cache/crops --steps 2000 --batch 12 --frames 2

lock: env
	echo 'uv==$(shell $(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)' | $(BIN)/uv pip compile --quiet --universal \
		--generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-uv.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--override overrides.txt requirements-dev.in -o requirements.lock

files: env
	$(BIN)/tvface schema workflow/schemas/config.schema.json
	$(BIN)/tvface settings docs/settings.md
	$(BIN)/tvface envs envs
