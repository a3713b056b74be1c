# `make` prints this list; `make check` is exactly what CI runs.

PORT ?= 8080
ROUNDS ?= 100
SEED ?= 1
MINUTES ?= 45
SCHEMA_MINUTES ?= 10
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
UV_VERSION := 0.13.9
PIP_AUDIT_VERSION := 2.10.1
MEMBERS := $(wildcard libs/* services/* apps/*)
MANIFESTS := $(addsuffix /pyproject.toml,$(MEMBERS))
NAMES := $(foreach member,$(MEMBERS),$(if $(filter apps/%,$(member)),steerco,steerco-$(notdir $(member))))
FIND_PYTHON := PYTHON='$(PYTHON)' tools/find-python.sh
COMMA := ,
REPOSITORY ?= steerco
TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGED := $(wildcard services/* apps/*)
OVERLAY ?= production
KUSTOMIZE := $(if $(shell command -v kustomize),kustomize build,kubectl kustomize)

export UV_PYTHON_DOWNLOADS ?= automatic

.DEFAULT_GOAL := help
.PHONY: help setup run run-distributed test check docs fmt lint types architecture contracts members lock clean faults bench audit images manifests compose-test

##@ Use
help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Start the one-process edition with its example (PORT=8080)
	@$(BIN)/steerco up --port $(PORT)

run-distributed: setup ## Start every service as processes of its own, over PostgreSQL and Kafka (PORT=8080)
	@$(BIN)/steerco run-distributed --port $(PORT)

##@ Deploy
images: $(addprefix image-,$(notdir $(IMAGED))) ## Build the image of each service, and of the command (REPOSITORY=steerco TAG=...)

image-%:
	docker build --file deploy/image/Dockerfile --build-arg MEMBER=$(filter %/$*,$(IMAGED)) \
		--target $(if $(filter apps/$*,$(IMAGED)),command,service) --build-arg VERSION=$(TAG) \
		--build-arg REVISION=$(shell git rev-parse HEAD) --tag $(REPOSITORY)/$*:$(TAG) .

manifests: ## Print what an overlay of deploy/k8s makes (OVERLAY=production)
	@$(KUSTOMIZE) deploy/k8s/overlays/$(OVERLAY)

compose-test: setup ## Where there is a container engine: bring docker-compose.yml up, go through it, take it down
	@$(BIN)/python -m tests.deploy.compose_journey

##@ Develop
setup: $(VENV)/.ready ## Make .venv with everything in it

$(UV):
	@python=$$($(FIND_PYTHON)) && "$$python" -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.ready: requirements.lock pyproject.toml $(MANIFESTS) | $(UV)
	@echo "· making $(VENV)"
	@python=$$($(FIND_PYTHON)) && UV_PYTHON="$$python" $(UV) venv --quiet --clear $(VENV)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(addprefix -e ./,$(MEMBERS))
	@touch $@

fmt: setup ## Format, and mend what lint can mend
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

lock: $(UV) ## Write requirements.lock anew: every version pinned by hash, no address
	@python=$$($(FIND_PYTHON)) && $(UV) pip compile $(MANIFESTS) --group pyproject.toml:dev --group pyproject.toml:bench --universal \
		--python "$$python" --python-version 3.12 --generate-hashes --no-annotate --no-header --quiet \
		$(addprefix --no-emit-package ,$(NAMES)) --output-file requirements.lock

docs: setup ## Write the pages and files that are made of the contracts and routes anew
	@$(BIN)/python -m steerco_events.reference.schemas docs/reference/schemas
	@$(BIN)/python -m steerco_events.reference.golden libs/events/tests/golden
	@$(BIN)/python -m tests.contracts.told_example docs/reference/samples.json
	@$(BIN)/python -m steerco_events.reference.asyncapi docs/reference
	@$(BIN)/python -m steerco_events.reference.event_page docs/reference
	@$(BIN)/python -m steerco_servers.realm examples/keycloak-realm.json
	@$(BIN)/python -m steerco_servers.realm deploy/compose/keycloak/realm.json local
	@$(BIN)/python -m steerco.reference.permission_page docs/reference
	@$(BIN)/python -m steerco.reference.kafka_acls deploy/compose/kafka/acls.sh
	@$(BIN)/python -m steerco.reference.kafka_table docs/how-to/secure-kafka.md
	@$(BIN)/python -m steerco.reference.settings_page docs/reference
	@$(BIN)/python -m steerco.reference.metrics_page docs/reference

audit: $(UV) ## Is anything known against what is pinned? Asks the network, so it is no part of check
	@python=$$($(FIND_PYTHON)) && $(UV) tool run --quiet --python "$$python" pip-audit==$(PIP_AUDIT_VERSION) \
		--strict --require-hashes --disable-pip --progress-spinner off --requirement requirements.lock

clean: ## Remove what make made
	@rm -rf $(VENV) .tools build .mypy_cache .ruff_cache .pytest_cache .hypothesis

##@ Check
check: lint types architecture contracts members test ## All that CI runs

lint: setup ## Format and lint
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup ## Types, strict, on sources and tests
	@$(BIN)/mypy libs services apps $(wildcard tests)

architecture: setup ## The layers, and that no service knows another
	@$(BIN)/lint-imports

contracts: setup ## Events, their envelope and the heads against those of the last release: nobody breaks
	@$(BIN)/python -m steerco_events.reference.releases docs/reference/schemas

members: setup ## Each member by itself: what it imports but does not declare fails here
	@tools/members.sh $(UV) $(MEMBERS)

test: setup ## Every test, against a real PostgreSQL, a real Kafka and a real Keycloak
	@$(BIN)/python -m steerco_servers.needs
	@$(BIN)/python -m steerco_servers.prefetch
	@$(BIN)/pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

faults: setup ## Break everything under load, again and again; then ask all that OpenAPI allows (ROUNDS=100 SEED=1 SCHEMA_MINUTES=10)
	@$(BIN)/python -m steerco_servers.needs kafka
	@$(BIN)/python -m tests.faults --rounds $(ROUNDS) --seed $(SEED) --minutes $(MINUTES)
	@$(BIN)/python -m tests.schemas --minutes $(SCHEMA_MINUTES) --seed $(SEED)

bench: setup ## Measure against what else there is: ratios, in a table and in build/bench.json (ONLY=appending)
	@$(BIN)/python -m steerco_servers.needs kafka
	@$(BIN)/python -m tests.bench $(ONLY)
