# The commands of this repository; `make` alone lists them.
# Everything a target needs besides Rust, Python, a C compiler, make and git is installed into
# `.tools` and `target`, which git ignores.

SHELL         := bash
.DEFAULT_GOAL := help

# The interpreter that makes the tools' environment: `make test PYTHON=python3.12`.
PYTHON ?= python3

LOCK    := tests/e2e/tools/requirements.txt
TOOLS   := .tools/python
# Named after the lock's content and this folder (scripts in a Python environment hold its absolute
# path): a changed lock or a moved checkout installs anew, anything else costs nothing.
INSTALLED := $(TOOLS)/installed-$(shell { cat $(LOCK); pwd; } | git hash-object --stdin)
AUDIT     := .tools/audit
# The Python and Node handlers that `make bench` measures beside the function.
PEERS     := .tools/bench
PEERS_INSTALLED := $(PEERS)/installed-$(shell { cat bench/crhelper/*.txt bench/node/*.json bench/node/*.mjs; pwd; } | git hash-object --stdin)
RUST      := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
CARGO     := cargo
E2E       := $(CARGO) run --locked --package e2e --

CHECKS := format lints template rust end-to-end

##@ Use
.PHONY: demo
demo: function ## Show the whole life of a stack on an emulated AWS (KEEP=1 leaves it running)
	@$(E2E) demo

.PHONY: acceptance
acceptance: function ## Run the end-to-end steps on your AWS account: make acceptance BUCKET=name
	@test -n "$(BUCKET)" || { echo 'make: say which bucket to read: make acceptance BUCKET=name' >&2; exit 1; }
	@BUCKET='$(BUCKET)' $(E2E) acceptance

##@ Check
.PHONY: test
test: $(INSTALLED) ## Run every check below, then print a summary
	@passed=0; summary=; \
	for check in $(CHECKS); do \
		printf '\n==> %s\n' "$$check"; start=$$SECONDS; \
		if $(MAKE) --no-print-directory "check-$$check"; then verdict=ok; passed=$$((passed + 1)); else verdict=FAILED; fi; \
		summary+=$$(printf '%-12s %-6s %4d s' "$$check" "$$verdict" "$$((SECONDS - start))")$$'\n'; \
		test $$verdict = ok || break; \
	done; \
	printf '\n%s' "$$summary"; \
	test $$verdict = ok && failed=0 || failed=1; \
	printf 'checks: %d passed, %d failed\n' $$passed $$failed; \
	exit $$failed

.PHONY: check-format
check-format: ## Formatting is rustfmt's
	@$(CARGO) fmt --all --check

.PHONY: check-lints
check-lints: ## Clippy has nothing to say
	@$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

.PHONY: check-template
check-template: $(INSTALLED) ## cfn-lint has nothing to say about the templates
	@$(TOOLS)/bin/cfn-lint template.yaml docs/*.yaml

.PHONY: check-rust
check-rust: $(INSTALLED) ## Unit and integration tests
	@$(CARGO) test --workspace --locked

.PHONY: check-end-to-end
check-end-to-end: function ## The real stack on the emulator, driven as a user would
	@$(E2E) test

##@ Check more
# `advisories` too where the database of known weaknesses can be fetched: AUDITED='advisories licenses bans sources'.
AUDITED ?= licenses bans sources
.PHONY: audit
audit: $(AUDIT)/installed ## Licences, banned crates and sources of all that is linked
	@$(AUDIT)/bin/cargo-deny --locked --log-level error check $(AUDITED)

# Takes about five minutes with two thousand cases for each property; `make test` tries 256.
CASES ?= 2000
.PHONY: fuzz
fuzz: ## Try the event parser and the policy builder on more random input (CASES=2000)
	@PROPTEST_CASES=$(CASES) $(CARGO) test --locked --test handler --test properties -- malformed:: generated::

##@ Measure
# `BENCH=--quick` for the first table alone, `BENCH='--rounds 5'` for fewer runs; 15 of everything take about four minutes.
.PHONY: bench
bench: function $(PEERS_INSTALLED) ## Measure time, memory and size beside an empty function and others' handlers
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(CARGO) lambda build --release --locked --package bench
	@$(TOOLS)/bin/python bench/main.py --programs '$(or $(CARGO_TARGET_DIR),target)/lambda' $(BENCH)

##@ Tools
.PHONY: tools
tools: $(INSTALLED) ## Install the emulator, SAM, the AWS CLI, cargo-lambda and checkers into .tools

# What `sam build` does, ahead of it: with cargo's own progress, however long the first build takes.
.PHONY: function
function: $(INSTALLED) ## Compile the function for Lambda, in the release profile
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(CARGO) lambda build --release --locked

.PHONY: clean
clean: ## Remove everything that was built or installed here
	rm -rf target .aws-sam .tools

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): | prerequisites
	@echo 'Installing the tools of $(LOCK) into $(TOOLS) (about 1 GB, once)'
	@rm -rf $(TOOLS)
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(LOCK)
	@touch $@

$(AUDIT)/installed: tests/audit/requirements.txt | prerequisites
	@rm -rf $(AUDIT)
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(PEERS_INSTALLED): $(INSTALLED) | prerequisites
	@echo 'Installing the handlers to measure beside into $(PEERS)'
	@rm -rf $(PEERS)
	@install='$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes'; \
	$$install --target $(PEERS)/crhelper --requirement bench/crhelper/requirements.txt && \
	$$install --target $(PEERS)/python-runtime --requirement bench/crhelper/runtime.txt
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		mkdir -p $(PEERS)/node && cp bench/node/* $(PEERS)/node && cd $(PEERS)/node && \
		npm ci --ignore-scripts --no-audit --no-fund --silent; \
	else echo 'make: `node` and `npm` are missing: the Node handler will be left out' >&2; fi
	@touch $@

# One line for each thing that is missing, and what to do about it.
.PHONY: prerequisites
prerequisites:
	@missing=0; need() { echo "make: $$1" >&2; missing=1; }; \
	command -v git >/dev/null || need 'git is missing: install it'; \
	command -v cc >/dev/null || need 'a C compiler (`cc`) is missing: install gcc or clang'; \
	if ! command -v $(CARGO) >/dev/null; then need 'Rust is missing: install $(RUST) or newer from https://rustup.rs'; \
	elif ! $(CARGO) --version | awk -v least=$(RUST) '{ split($$2, a, "."); split(least, b, "."); \
		exit a[1] * 1000000 + a[2] * 1000 + a[3] < b[1] * 1000000 + b[2] * 1000 + b[3] }'; then \
		need "Rust $(RUST) or newer is needed, this is $$($(CARGO) --version): run \`rustup update stable\`"; fi; \
	if ! command -v $(PYTHON) >/dev/null; then need 'Python is missing: install 3.10 or newer, or name one: make PYTHON=/path/to/python3'; \
	elif ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then \
		need "Python 3.10 or newer is needed, this is $$($(PYTHON) --version): name another: make PYTHON=/path/to/python3"; \
	elif ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		need '$(PYTHON) has no `venv`: install it (Debian, Ubuntu: `apt install python3-venv`)'; fi; \
	exit $$missing
