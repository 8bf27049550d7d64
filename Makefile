# One command each. `make up` and `make test` install what they need (Debian 12, Ubuntu 24.04 and 22.04).
PY := .venv/bin/python
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help up down test system check fmt docs bench tempest clients failure dev

help:
	@echo "make up              start the all-in-one cloud and boot a first server"
	@echo "make down [PURGE=1]  stop it [and forget its data]"
	@echo "make test            all tests; PARTS='unit service' for some of them"
	@echo "make system          the tests with real guests and services, then the walk through docs/install.md"
	@echo "make check           linters, types, import contracts, shape of the code"
	@echo "make fmt             format the code"
	@echo "make docs            renew the generated pages of docs/"
	@echo "make bench           measure a running cloud; ARGS="…" (see tools/bench.py --help)"
	@echo "make tempest         Tempest's tests against services on the fake driver; ARGS as of tools/tempest.py --help"
	@echo "make failure         break brokers, databases, neighbours and our processes under load; ARGS as of tools/failure.py --help"
	@echo "make clients         the clients' own functional suites, likewise; ARGS as of tools/clients.py --help"

up:
	@sh tools/bootstrap.sh run
	@$(SUDO) .venv/bin/kilonova up $(ARGS)

down:
	@if [ -x .venv/bin/kilonova ]; then $(SUDO) .venv/bin/kilonova down $(if $(PURGE),--purge) $(ARGS); \
	else echo "nothing to stop: there is no .venv"; fi

dev:
	@sh tools/bootstrap.sh dev

test: dev
	@$(SUDO) $(PY) tools/test.py $(PARTS)

system: dev
	@$(SUDO) $(PY) tools/test.py system walk

check: dev
	@$(PY) tools/check.py

fmt: dev
	@.venv/bin/ruff check --fix-only -q src tests tools
	@.venv/bin/ruff format src tests tools

docs: dev
	@for page in lifecycle coverage; do $(PY) tools/$$page.py || exit 1; done

bench:
	@sh tools/bootstrap.sh bench
	@$(PY) tools/bench.py $(ARGS)

tempest: dev
	@$(SUDO) $(PY) tools/tempest.py $(ARGS)

failure: dev
	@$(SUDO) $(PY) tools/failure.py $(ARGS)

clients: dev
	@$(SUDO) $(PY) tools/clients.py $(ARGS)
