# Each command sets up what it needs: a .venv with the locked requirements, made anew when these change.
# `make PYTHON=python3.12 test` takes another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
JOBS ?= auto
BASE ?= main
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
SMOKE := -S dataset=synthetic -S train_size=1000 -S val_size=0 -S epochs=2 -S warmup_epochs=0 -S 'seeds=[0]' \
	-S 'variants=[plain20,resnet20]'

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# how `make repro` and `make study` train: on Ray, here or on a cluster; not if it is one run at a time
GRID := $(if $(RAY),--address $(RAY),$(if $(filter-out 1,$(JOBS)),--jobs $(JOBS)))
DRIVER := $(if $(GRID),python -m pipeline.cluster.driver $(GRID) $(OPTIONS))

.PHONY: help setup lock repro study smoke report verify compare weights unchanged record check test
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/ready ## make .venv and install requirements.txt and requirements-dev.txt
$(VENV)/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)
	pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	python -m pipeline.tools.offline_plots
	touch $@
$(VENV)/ray: $(VENV)/ready requirements-ray.txt
	pip install --quiet --disable-pip-version-check --require-hashes -r requirements-ray.txt
	touch $@

lock: ## write the requirements.txt files, with hashes, from what the .in files name; needs uv
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --output-file requirements-dev.txt
	$(LOCK) requirements-ray.in --output-file requirements-ray.txt

repro: setup $(if $(DRIVER),$(VENV)/ray) ## reproduce all results, as many runs at once as there are cores or GPUs; JOBS=1: one
	$(DRIVER)
	dvc repro --pull
	python -m pipeline.tools.readme

study: setup $(if $(DRIVER),$(VENV)/ray) ## reproduce one of the other studies: make study NAME=epochs200, resnet18, ...
	$(if $(wildcard studies/$(NAME)/dvc.yaml),,$(error NAME is "$(NAME)"; allowed: $(notdir $(wildcard studies/*))))
	$(if $(DRIVER),$(DRIVER) --study $(NAME))
	dvc repro --pull studies/$(NAME)/dvc.yaml
	python -m pipeline.tools.readme

smoke: setup ## the whole pipeline on generated images with the two small networks, in minutes, apart from the workspace
	dvc exp run --temp --force --name smoke $(SMOKE)
	@mkdir -p .scratch
	@git show $$(git for-each-ref --count=1 --sort=-creatordate --format='%(objectname)' 'refs/exps/*/*/smoke'):reports/report.html \
		> .scratch/smoke.html
	@dvc exp remove --quiet smoke
	@echo "The pipeline works. Its report on generated images: $(CURDIR)/.scratch/smoke.html"

report: setup ## rebuild tables, figures and report from the runs in git, without data
	dvc repro --allow-missing --force --downstream aggregate $(patsubst %claims.yaml,%dvc.yaml:aggregate,$(wildcard studies/*/claims.yaml))
	python -m pipeline.tools.readme

verify: setup ## do the committed weights give the committed numbers? evaluates every run anew, trains nothing
	python -m pipeline.tools.verify

compare: setup ## how far are the results from those of BASE (main), and how sure is that? NAME=transfer: those of a study
	python -m pipeline.tools.compare $(BASE) $(if $(NAME),studies/$(NAME))

weights: setup ## put the weights of the recorded runs into weights/, in place of those that are there
	python -m pipeline.tools.push_weights

unchanged: setup ## does the working tree train to the same bits as BASE (main)?
	python -m pipeline.tools.same_bits $(BASE)

record: unchanged ## after such an edit, record the new code in dvc.lock; needs no data and no weights
	python -m pipeline.tools.record

check: setup ## does dvc.lock match code, parameters and reports?
	python -m pipeline.tools.check

test: setup $(VENV)/ray ## everything that CI tests
	ruff check .
	ruff format --check .
	python -m pipeline.tools.check
	pytest -m "not sweep"
