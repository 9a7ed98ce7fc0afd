# Every command of the repository. `make help` lists them; CI calls nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check fmt lint docs deny unit e2e programs images kind-up kind-down cluster-up cluster-down ui ui-check ui-test generate manifests bench bench-peers corpus fuzz kafka tools tools-test tools-cluster tools-peers root

export CARGO_TERM_COLOR ?= auto
UI := collector/ui
# With Kafka, which Cargo leaves out unless asked: one set of features everywhere, or everything is built twice.
FEATURES := --features collector/kafka
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/weir
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
CORPUS ?= ../shared/corpus
SECONDS_EACH ?= 60
NODES ?= 2
PROFILE ?= release
STAGE := .ci/stage

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: tools ui ## Build everything, start the quickstart with demo traffic, print the page's address
	cargo build --release --quiet -p collector -p flow-generator
	BIN=$(TARGET)/release examples/quickstart/run.sh

test: root tools tools-test tools-cluster ## Prove everything: format, lints, docs, licences, unit tests, real programs, the page (needs root)
	$(STAGE) fmt make --no-print-directory fmt
	$(STAGE) ui make --no-print-directory ui-check ui
	$(STAGE) lint make --no-print-directory lint
	$(STAGE) docs make --no-print-directory docs
	$(STAGE) deny make --no-print-directory deny
	$(STAGE) unit make --no-print-directory unit
	$(STAGE) programs make --no-print-directory programs
	$(STAGE) images make --no-print-directory images PROFILE=image
	$(STAGE) e2e make --no-print-directory e2e
	$(STAGE) ui-test make --no-print-directory ui-test
	@$(STAGE) --summary

check: tools fmt lint unit ## The fast half: format, lints, unit tests; no root, no other programs

fmt:
	cargo fmt --all --check

lint:
	cargo clippy --workspace --all-targets $(FEATURES) --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps $(FEATURES) --locked --quiet

deny:
	cargo deny --all-features --workspace check --hide-inclusion-graph bans licenses sources

unit:
	cargo test --workspace --exclude e2e $(FEATURES) --locked
	cargo test -p e2e --test tidy $(FEATURES) --locked

e2e: kafka
	cargo build --locked -p collector -p flow-generator $(FEATURES)
	cargo test -p e2e $(FEATURES) --locked -- --test-threads=1

programs: ## Build what the test cluster runs, once, outside of the clone: Kubernetes, helm, kwok, CoreDNS
	cargo run --quiet --locked -p e2e --bin cluster -- programs

images: ui ## Build the images as archives and print their sizes (PROFILE=release; image: faster to build, for tests)
	.ci/images $(PROFILE) $(TARGET)/images

kind-up: ## Start a cluster in Docker with kind, three nodes, with the images loaded (needs Docker and kind)
	@command -v kind >/dev/null || { echo "make: kind is missing: https://kind.sigs.k8s.io" >&2; exit 1; }
	make --no-print-directory images
	kind create cluster --name weir --config .ci/kind.yaml
	kind load image-archive --name weir $(TARGET)/images/weir.tar
	kind load image-archive --name weir $(TARGET)/images/weir-operator.tar
	kind load image-archive --name weir $(TARGET)/images/flow-generator.tar

kind-down: ## Take it down
	kind delete cluster --name weir

cluster-up: root tools-cluster ## Start a real cluster and leave it running (NODES=2; needs root); prints how to use it
	cargo run --quiet --locked -p e2e --bin cluster -- up $(NODES)

cluster-down: ## Take it down, and what interrupted tests left
	cargo run --quiet --locked -p e2e --bin cluster -- down

ui: $(UI)/node_modules/.weir ## Build the page into the bundle that the program embeds
	cd $(UI) && npm run --silent build

ui-check: $(UI)/node_modules/.weir
	cd $(UI) && npm run --silent check

ui-test: ui
	cargo build --locked -p collector -p flow-generator $(FEATURES)
	cd $(UI) && BIN=$(abspath $(TARGET))/debug npm run --silent test:browser

$(UI)/node_modules/.weir: $(UI)/package-lock.json
	cd $(UI) && npm ci --no-audit --no-fund --loglevel=error
	touch $@

kafka: $(CACHE)/kafka-4.1.1 $(CACHE)/kafka-reader ## Fetch Apache Kafka and build the reader that its tests compare with

$(CACHE)/kafka-4.1.1: e2e/kafka/pom.xml
	mkdir -p $(CACHE)
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$@
	touch $@

$(CACHE)/kafka-reader: $(wildcard e2e/kafka/reader/*)
	mkdir -p $(CACHE)
	cd e2e/kafka/reader && go build -o $@ .

generate: ## Write the committed generated files anew: CRDs, OpenAPI document, the chart's README, kustomize's base
	cargo run --quiet -p crds --bin crdgen -- charts/weir-crds/templates
	UPDATE_GOLDEN=1 cargo test --quiet -p collector --lib openapi
	UPDATE_GOLDEN=1 cargo test --quiet -p e2e --test charts

manifests: ## Write the one-file install, for `kubectl apply --server-side -f`: target/manifests/install.yaml
	mkdir -p $(TARGET)/manifests
	kubectl kustomize charts/kustomize > $(TARGET)/manifests/install.yaml
	@echo "$(TARGET)/manifests/install.yaml"

bench: ## Run the benches: times by criterion, instructions by valgrind
	@command -v valgrind >/dev/null || { echo "make: valgrind is missing: apt install valgrind" >&2; exit 1; }
	cargo bench -p collector

bench-peers: root tools-peers ## Measure Weir's edge beside nfcapd, sfcapd and nfprofile; writes collector/benches/runs/<date>.md (needs root)
	cargo build --release --quiet --locked -p collector
	cargo bench --quiet --locked -p e2e --bench peers

corpus: ## Decode a folder of other projects' captures and compare (CORPUS=DIR)
	cargo build --quiet --locked -p collector
	cargo run --quiet --locked -p e2e --example corpus -- $(CORPUS)

fuzz: ## Fuzz every parser, from the golden captures on, a minute each (SECONDS_EACH=60; needs cargo-fuzz)
	.ci/fuzz $(SECONDS_EACH)

tools:
	@need() { command -v $$1 >/dev/null || { echo "make: $$1 is missing: $$2" >&2; exit 1; }; }; \
	need cargo "install Rust by rustup (https://rustup.rs)"; \
	need cc "apt install gcc libc6-dev"; need perl "apt install perl"; \
	need node "install Node.js 20.19 or later"; \
	need npm "it comes with Node.js"; \
	node -e 'const [a,b]=process.versions.node.split(".").map(Number); if (a<20||(a==20&&b<19)) { console.error("make: Node.js "+process.version+" is too old: 20.19 or later is needed"); process.exit(1) }'

tools-test:
	@need() { command -v $$1 >/dev/null || { echo "make: $$1 is missing: $$2" >&2; exit 1; }; }; \
	need cargo-deny "cargo install --locked cargo-deny"; \
	need nfcapd "apt install nfdump"; need sfcapd "apt install nfdump-sflow"; \
	need softflowd "apt install softflowd"; need ovs-vsctl "apt install openvswitch-switch"; \
	need pmacctd "apt install pmacct"; need ping "apt install iputils-ping"; \
	need ip "apt install iproute2"; need chromium "apt install chromium"; \
	need mvn "apt install maven"; need java "apt install default-jre-headless"

tools-cluster:
	@need() { command -v $$1 >/dev/null || { echo "make: $$1 is missing: $$2" >&2; exit 1; }; }; \
	need go "install Go 1.26 (https://go.dev/dl)"; need etcd "apt install etcd-server"; \
	need containerd "apt install containerd"; need runc "apt install runc"; need conntrack "apt install conntrack"; \
	need iptables "apt install iptables"; need buildah "apt install buildah"; \
	[ -x /usr/lib/cni/bridge ] || { echo "make: CNI's plugins are missing: apt install containernetworking-plugins" >&2; exit 1; }

tools-peers:
	@need() { command -v $$1 >/dev/null || { echo "make: $$1 is missing: $$2" >&2; exit 1; }; }; \
	need nfcapd "apt install nfdump"; need nfprofile "apt install nfdump"; need sfcapd "apt install nfdump-sflow"; \
	need ip "apt install iproute2"

root:
	@[ "$$(id -u)" = 0 ] || { echo "make test: needs root, for network namespaces: run it as root, or 'make check' for the part that does not" >&2; exit 1; }
