# Everything from a bare machine: needs Python >= 3.11 with venv, make, and a package registry for the first run.
# `make help` lists what there is. VENV, PYTHON, SHORT and SEED may be set: make test VENV=/tmp/v PYTHON=python3.12

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
SHORT ?=
JOBS ?= 5

# What the caller has set for another Python must not reach ours; without bytecode each start would compile three hundred files.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX TRIMTAB_CONFIG TRIMTAB_TOKEN
export PIP_DISABLE_PIP_VERSION_CHECK = 1

BIN := $(VENV)/bin
PY := $(BIN)/python
PIN := $(PY) -m pip install --quiet --require-hashes
short = $(if $(filter-out 0,$(SHORT)),$(1),$(2))
comma := ,

.DEFAULT_GOAL := help
.PHONY: help install demo test test-services check format bench bench-verdicts bench-judge bench-learning bench-search bench-stability bench-cluster bench-analysis bench-detection bench-diagnosis bench-forecasts bench-metric-store bench-screening bench-sensors bench-ingest bench-unknown bench-demo bench-blast bench-bad-data bench-api bench-stores bench-overhead bench-startup chaos dist constraints which-python clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F '\t' '{printf "  make %-16s %s\n", $$1, $$2}'
	@echo "  SHORT=1 runs the short form of a bench or of chaos"

# -- set-up: once, and again when the pins or the project's metadata change

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "trimtab needs Python 3.11 or newer; none was found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trimtab needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1)"; exit 1; }
	@test -x $(PY) && $(PY) -m pip --version >/dev/null 2>&1 || { echo "making $(VENV)"; "$(PYTHON)" -m venv --clear "$(VENV)"; }
	@touch $@

# The build backend comes pinned too, so that installing the package itself fetches nothing.
$(VENV)/.runtime: $(VENV)/.made requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo "installing what trimtab needs to run"
	@$(PIN) -r requirements/build.txt -r requirements/runtime.txt
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "installing what its tests and checks need"
	@$(PIN) -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@echo "installing the peers that benches measure against"
	@$(PIN) -r requirements/bench.txt
	@touch $@

# -- the main things

install: $(VENV)/.runtime ## make .venv with trimtab in it

demo: $(VENV)/.runtime ## see the loop find and cure real faults, on a real service under real load (one to six minutes)
	@$(BIN)/trimtab demo --seed $(or $(SEED),1)

test: $(VENV)/.dev ## run the tests: no root, no network once installed
	@$(PY) -m pytest -n $(JOBS) --dist worksteal -m "not services"

test-services: $(VENV)/.dev ## install the servers that tests need (as root on Debian), and run the tests that need them
	@tests/services/install.sh
	@$(PY) -m pytest -m services tests

check: $(VENV)/.dev ## lint, format, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code into the project's format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

# -- measurements: each prints its figures and fails when its bar is missed

bench: bench-verdicts bench-blast bench-bad-data bench-api bench-stores bench-startup bench-overhead chaos bench-unknown bench-demo ## all of them, one after the other

# Several benches, all of them whatever one comes to; fails when one has.
each = @missed=; for bench in $(1); do $(MAKE) --no-print-directory bench-$$bench || missed="$$missed bench-$$bench"; done; \
	test -z "$$missed" || { echo "a bar was missed in:$$missed"; exit 1; }

bench-verdicts: $(VENV)/.dev ## what nobody else has: verdicts, beliefs, calm, load that is followed, search; each of its benches
	$(call each,judge learning stability cluster search)

bench-judge: $(VENV)/.dev ## how often a verdict flatters a change that does nothing, and how soon it finds a real one
	$(PY) benchmarks/verdicts.py $(call short,--reps 100 --only honesty,--reps 500)

bench-learning: $(VENV)/.dev ## how well beliefs are calibrated, and how little is lost by choosing between rivals
	$(PY) benchmarks/learning.py $(call short,--short,)

bench-search: $(VENV)/.bench ## the search of tuned levers beside Optuna, random and grid: gain in 30 noisy trials, guards broken
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/search.py $(call short,--short,)

bench-stability: $(VENV)/.dev ## square-wave load, a second hand on the lever, a restart, ten days without a fault
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/stability.py $(call short,--short,)

bench-cluster: $(VENV)/.dev ## load followed on the web cluster, beside rule managers and peers (SHORT=1: some cells, no test)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/web_cluster.py $(call short,--short,)

bench-analysis: $(VENV)/.dev ## what the analysis stage promises: each of its benches
	$(call each,detection diagnosis forecasts metric-store screening sensors ingest)

bench-metric-store: $(VENV)/.bench ## how fast the metric store takes samples in, how small they rest, how soon a range is read
	$(PY) benchmarks/metric_store.py --seed $(or $(SEED),1) $(call short,--short,)

bench-screening: $(VENV)/.bench ## what looking at all series costs and sees; how much sooner is noticed what matters
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/screening.py --seed $(or $(SEED),1) $(call short,--short,)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/adaptive.py $(call short,--short,)

bench-sensors: $(VENV)/.dev ## does the agent stay within its budget with 10,000 slow sensors? (ten minutes)
	$(PY) benchmarks/many_sensors.py $(call short,--sensors 2000 --interval 10 --minutes 5,)

bench-ingest: $(VENV)/.dev ## what is pushed: speed, damage, overload, and a real Prometheus (Debian package prometheus)
	$(PY) benchmarks/ingest.py $(call short,--short,)

DATA ?= ../shared/data

bench-detection: $(VENV)/.bench ## the deep detector: NAB, metrics of servers, false incidents a week, cost beside river (DATA: nab-dev and asd-dev)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/detection.py --data $(DATA) --seed $(or $(SEED),1) $(call short,--short,)

bench-diagnosis: $(VENV)/.dev ## is the root cause among the first that a diagnosis names? (DATA: the folder with petshop-dev)
	$(PY) benchmarks/diagnosis.py --data $(DATA) $(call short,--short,)

bench-forecasts: $(VENV)/.bench ## does the forecast beat the seasonal naive one and MSTL, and keep its intervals? (DATA as above)
	$(PY) benchmarks/forecasts.py --data $(DATA) $(call short,--short,)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/predictive_scaling.py $(call short,--short,)

bench-unknown: $(VENV)/.dev ## a service never seen before, with and without a fault
	$(PY) benchmarks/unknown_service.py $(call short,--short,--runs 5)
	$(call short,,$(PY) benchmarks/unknown_service.py --runs 5 --no-fault)

bench-demo: $(VENV)/.dev ## the demo with several seeds, and without a fault (SHORT=1: one seed)
	$(PY) benchmarks/demo.py $(call short,--short,)

bench-blast: $(VENV)/.dev ## 100,000 generated plans against an independent checker
	$(PY) benchmarks/blast_radius.py --plans $(call short,5000,100000)

bench-bad-data: $(VENV)/.dev ## 1,000 generated cases of bad data against the whole agent
	$(PY) benchmarks/bad_data.py $(call short,--cases 40 --http 0,--cases 1000)

bench-api: $(VENV)/.dev ## a fuzzer driven by the OpenAPI document
	$(PY) benchmarks/api_fuzz.py $(call short,--examples 5 --phases examples$(comma)coverage$(comma)fuzzing,--examples 200)

bench-stores: $(VENV)/.dev ## how fast an agent is with a year behind it, and how long pruning keeps it waiting
	$(PY) benchmarks/stores.py $(call short,--samples 50000 --actions 1000,)

bench-overhead: $(VENV)/.dev ## what the agent costs: processor time and memory, beside processes that do next to nothing
	$(PY) benchmarks/overhead.py --series 1000 --interval 1 --seconds $(call short,20,60)
	$(PY) benchmarks/overhead.py --series 200 --interval 30 --minutes $(call short,1,10)
	$(call short,,$(PY) benchmarks/overhead.py --series 500 --interval 1 --budget 0.5 --minutes 6)

bench-startup: $(VENV)/.dev ## how long until something is there
	$(PY) benchmarks/startup.py --starts $(call short,3,7)

chaos: $(VENV)/.dev ## kill -9 at every row of the journal, restart, and look what became of it
	$(PY) benchmarks/chaos.py $(call short,--short,)

# -- for maintainers

dist: $(VENV)/.dev ## build the sdist and the wheel into dist/
	@rm -rf dist && $(PY) -m hatchling build

constraints: pyproject.toml ## pin the dependencies anew (UPGRADE=1: the newest of everything)
	@test -x .make/pin/bin/python || { "$(PYTHON)" -m venv .make/pin && .make/pin/bin/python -m pip install --quiet pip-tools; }
	@.make/pin/bin/python requirements/pin.py $(if $(UPGRADE),--upgrade)

which-python: ## print the Python that environments are made with
	@echo "$(PYTHON)"

clean: ## remove what was made here, the virtual environment included
	rm -rf $(VENV) .make dist build .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
