# `make demo` and `make test` are the two commands of the README; `make help` lists the rest.
# Everything builds as the caller; root (sudo, where the caller is not root) is used only to install packages and for the
# sandbox's network namespaces.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(LANDFALL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/landfall)
DENY_VERSION := 0.19.6
DENY = "$(CACHE)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny"
FUZZ_VERSION := 0.13.2
FUZZ = "$(CACHE)/cargo-fuzz-$(FUZZ_VERSION)/bin/cargo-fuzz"
CARGO ?= cargo
# The kind cluster: nftables (both families) or ipv4-iptables.
export KIND ?= nftables
# The processor that an image is for.
ARCH ?= amd64
# Runs what cargo built under root, with the tools' folder told to it.
AS_ROOT = --config "target.'cfg(all())'.runner=['$(CURDIR)/tests/sandbox/as-root']"
# A program of cargo's, by name and version, into the cache, unless it is there; it works for seconds, so it is not optimised.
QUICKLY = CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
define install
	@[ -x "$(CACHE)/$(1)-$(2)/bin/$(1)" ] || { \
	CARGO_TARGET_DIR="$(CACHE)/$(1)-target" $(QUICKLY) $(CARGO) install $(1) --locked --version $(2) --root "$(CACHE)/$(1)-$(2)"; \
	rm -rf "$(CACHE)/$(1)-target"; }
endef
TOOLS = LANDFALL_TOOLS="$$(tests/tools/install.sh)"

.PHONY: help demo test test-unit test-fuzz test-net test-cluster test-oldest soak bench image image-reproducible lint fmt clippy deny advisories cargo-deny cargo-fuzz preflight preflight-image tools kind kind-e2e kind-upstream kind-down clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: preflight ## a three-node cluster with Landfall on it; stays up until Ctrl-C
	@$(TOOLS); export LANDFALL_TOOLS; \
	echo "building Landfall: some minutes the first time" >&2; \
	$(CARGO) build --quiet --locked --package landfall --package landfall-sandbox --package landfall-demo; \
	tests/sandbox/as-root "$${CARGO_TARGET_DIR:-target}/debug/landfall-demo"

test: preflight test-unit test-fuzz test-net test-cluster ## every test, with Kubernetes 1.37

test-unit: ## the tests that need no privilege
	$(CARGO) test --locked --package landfall-core --package landfall-fuzz --package landfall-image --package landfall-simulation --package landfall-conformance
	$(CARGO) test --locked --package landfall --lib --bins
	tests/kind/lab-test

test-fuzz: cargo-fuzz ## what anybody may send or write, fuzzed for ten seconds each; FUZZ_SECONDS=600, FUZZ_TARGETS=frame
	tests/fuzz/run $(FUZZ) $(or $(FUZZ_SECONDS),10) $(FUZZ_TARGETS)

test-net: ## the tests in network namespaces
	$(CARGO) $(AS_ROOT) test --locked --package landfall --test net -- --test-threads=1

test-cluster: ## the tests against a real cluster; LANDFALL_KUBERNETES says of which release
	$(TOOLS); export LANDFALL_TOOLS; \
	$(CARGO) build --locked --workspace --bins; \
	$(CARGO) $(AS_ROOT) test --locked --package landfall-sandbox -- --test-threads=1; \
	$(CARGO) $(AS_ROOT) test --locked --package landfall --test controller --test e2e -- --test-threads=1

test-oldest: ## the same against the oldest Kubernetes that Landfall is made for, 1.30
	@LANDFALL_KUBERNETES=1.30 $(MAKE) --no-print-directory preflight test-cluster

soak: ## the election's simulation at length: SEEDS=1000 of each scenario, from SEED=10000001 on
	$(CARGO) run --release --locked --package landfall-simulation -- --seed $(or $(SEED),10000001) --count $(or $(SEEDS),1000)

bench: preflight ## measures, and writes docs/benchmarks.md
	$(TOOLS); export LANDFALL_TOOLS; \
	$(CARGO) build --profile dist --locked --package landfall --bin landfall; \
	$(CARGO) build --release --locked --package landfall-sandbox --bins; \
	$(CARGO) $(AS_ROOT) bench --locked --package landfall-bench

image: preflight-image ## Landfall's image as an archive in target/image; ARCH=arm64 for that processor
	@archive=$$(image/build.sh $(ARCH)); image/check.sh "$$archive" $(ARCH); echo "$$archive"

image-reproducible: preflight-image ## builds the image again in another folder and compares every byte; of a commit alone
	@image/reproducible.sh $(ARCH)

lint: fmt clippy deny ## formatting, clippy with warnings denied, licences and sources of the dependencies

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings

deny: cargo-deny
	$(DENY) --locked check bans licenses sources

advisories: cargo-deny ## known vulnerabilities of the dependencies (needs the internet)
	$(DENY) --locked check advisories

cargo-deny:
	$(call install,cargo-deny,$(DENY_VERSION))

cargo-fuzz:
	$(call install,cargo-fuzz,$(FUZZ_VERSION))

kind: preflight-image ## a real kind cluster to work in, with Landfall's image loaded; KIND=ipv4-iptables for the other variant
	@archive=$$(image/build.sh); tests/kind/lab up $(KIND); tests/kind/lab load "$$archive"

kind-e2e: preflight-image ## tests in real pods on a real kind cluster; KIND=ipv4-iptables for the other variant
	@tests/kind/run

kind-upstream: preflight-image ## Kubernetes' own load-balancer tests, on a real kind cluster; CASE='part of a name' for some of them
	@tests/kind/upstream $(if $(CASE),'$(CASE)')

kind-down: ## takes the kind cluster away
	@tests/kind/lab down

preflight:
	@tests/sandbox/preflight.sh

preflight-image:
	@ARCH=$(ARCH) tests/sandbox/preflight.sh

tools: ## builds the cluster's programs (cached outside target/)
	@tests/tools/install.sh

clean: ## removes what was built here; the cache of tools stays
	$(CARGO) clean
