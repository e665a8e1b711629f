# Two commands do everything on a fresh machine: `make demo` shows the program, `make test` checks it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo

# On a machine lent for minutes there is no virtual environment: what is installed there is used.
GPU_PYTHON := PYTHONPATH=$(CURDIR):$(CURDIR)/tests/support:$(PYTHONPATH) \
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

.PHONY: demo test check lint types tests coverage gpu gpu-train wheel clean

# Index a copy of the rendered photographs with the shipped weights, then find words in them.
# The list of galleries is kept in the copy too, so the demo leaves nothing behind.
demo: export XDG_DATA_HOME = $(CURDIR)/$(DEMO)
demo: $(VENV)/.installed
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
	cp -r examples/photographs $(DEMO)/photos
	cp examples/gallery/*.jpg $(DEMO)/photos
	$(BIN)/stsearch index $(DEMO)/photos
	$(BIN)/stsearch search "garden"
	$(BIN)/stsearch search "delicatessen" --group photo

# Set up, then run every check.
test: $(VENV)/.installed-dev
	$(MAKE) check

check: lint types tests

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

tests:
	$(BIN)/pytest

coverage: $(VENV)/.installed-dev
	$(BIN)/pytest --cov --cov-report=term-missing

# Prove what CUDA does, in four minutes; ARGS="--device cpu --photos 6" is a dry run.
gpu:
	$(GPU_PYTHON) tests/bench/gpu.py $(ARGS)

# Train the shipped weights further for some minutes; the best go to $$OUT, else to runs/gpu.
MINUTES ?= 8
STAGE ?= read
INIT ?= weights/tiny
gpu-train:
	$(GPU_PYTHON) tests/bench/gpu_train.py --minutes $(MINUTES) --stage $(STAGE) --init $(INIT) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(CONFIG),--config $(CONFIG)) $(if $(RESUME),--resume) $(ARGS)

wheel: $(VENV)/bin/python
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf build dist $(VENV)

# The stamps remember what is installed, so a second run starts at once.
$(VENV)/.installed-dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --editable '.[dev]'
	touch $(VENV)/.installed $@

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --editable .
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
