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

.PHONY: help env demo test lint bench lock files weights weights-crops weights-faces weights-landmarks weights-parser \
	weights-identity weights-features weights-eyes weights-light weights-shots weights-shape

help:
	@echo "make env    build .venv from requirements.lock (Python 3.11 or 3.12 is all it needs)"
	@echo "make demo   env, then everything in config.yaml; the page is results/report.html"
	@echo "make test   env, then all tests"
	@echo "make lint   ruff, mypy, snakefmt, snakemake --lint"
	@echo "make bench  the benchmarks"
	@echo "make weights train the bundled networks anew (hours; -j 2)"
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

# From nothing to the shipped weights and their cards. Each training takes one core: make -j 2 weights. Crops lie in .cache,
# checkpoints beside the weights; a stopped command goes on where it was.
TRAIN := $(BIN)/python -m tvface.bundled.train
FEATURES := $(BIN)/python -m tvface.bundled.features
weights: weights-landmarks weights-parser weights-identity weights-features weights-eyes weights-light weights-shape
weights-crops: env
	$(BIN)/python -m tvface.bundled.crops --out .cache/crops --count 30000
weights-faces: weights-crops
	$(BIN)/python -m tvface.bundled.faces --out .cache/faces --people 1000
weights-landmarks: weights-crops
	$(TRAIN) landmarks --crops .cache/crops --steps 8000 --threads 1
weights-parser: weights-crops
	$(TRAIN) parser --crops .cache/crops --steps 10000 --threads 1
weights-identity: weights-faces
	$(TRAIN) identity --crops .cache/faces --steps 2400 --batch 64 --held-out 100 --threads 1
weights-features: weights-crops
	$(FEATURES) deca --crops .cache/crops --steps 3000 --threads 1
	$(FEATURES) temporal --crops .cache/crops --steps 2000 --batch 12 --frames 2 --threads 1
# Shots of people of two parts that share nobody: to train with, and to test on.
SHOTS := $(BIN)/tvface synth-crops --size 96 --layers image clean points labels occluder parameters --processes 2
weights-shots: env
	$(SHOTS) --out .cache/shots/five --count 36000 --frames 5 --seed 77 --people train
	$(SHOTS) --out .cache/shots/ten --count 12000 --frames 10 --seed 78 --people train
	$(SHOTS) --out .cache/shots/test --count 2400 --frames 10 --seed 901 --people test
weights-shape: weights-shots
	$(BIN)/python -m tvface.bundled.shape --crops .cache/shots/five --more .cache/shots/ten --test .cache/shots/test \
		--steps 6000
weights-eyes: env
	$(BIN)/python -m tvface.bundled.eyes --crops .cache/eyes --count 3500 --steps 1400
weights-light: env
	$(BIN)/python -m tvface.bundled.light_prior resources/weights/light_prior.npz

lock: env
	echo 'uv==$(shell $(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)' | $(BIN)/uv pip compile --quiet --universal \
		--generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-uv.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--override overrides.txt requirements-dev.in -o requirements.lock

files: env
	$(BIN)/tvface schema workflow/schemas/config.schema.json
	$(BIN)/tvface settings docs/settings.md
	$(BIN)/tvface envs envs
