# Needs GNU make, Go, git and a C compiler. "make" alone lists the targets.

COMPONENTS := test/cluster/components
BENCH := test/perf
CHART := test/chart
# The import path of each program of the local control plane, and its file.
PACKAGES := $(shell sed -n '/^tool (/,/^)/s/^\t//p' $(COMPONENTS)/go.mod)
# Prometheus without the service discoveries, whose libraries (one a cloud) are
# most of its code.
TAGS_prometheus := remove_all_sd
TOOLS := $(addprefix bin/tools/,$(notdir $(PACKAGES:/server/v3=)))

# Evaluated only by the targets that use them.
GO_VERSION = $(shell sed -n 's/^go /go/p' go.mod)
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo v0.1.0-dev)
KUBERNETES_VERSION = $(shell go list -m -f '{{.Version}}' k8s.io/kubernetes)
GITVERSION := k8s.io/component-base/version.gitVersion
LDFLAGS = -X main.version=$(VERSION) -X $(GITVERSION)=$(KUBERNETES_VERSION)
LINT := go tool -modfile=go.tools.mod golangci-lint

CONTAINER_TOOL ?= $(if $(shell command -v docker),docker,podman)
IMAGE ?= plimsoll:$(VERSION)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the scheduler and the plugin of kubectl: bin/scheduler, bin/kubectl-plimsoll
	go build -ldflags '$(LDFLAGS)' -o bin/scheduler ./cmd/scheduler
	go build -ldflags '$(LDFLAGS)' -o bin/kubectl-plimsoll ./cmd/kubectl-plimsoll
	ln -sf kubectl-plimsoll bin/kubectl_complete-plimsoll

.PHONY: tools
tools: prerequisites $(TOOLS) ## Build the local control plane for tests and demo: bin/tools (first time: 15 min)

# The linker flag tells the Kubernetes programs their version; a build from a
# module does not know it. The other programs ignore it.
bin/tools/%: $(COMPONENTS)/go.mod | prerequisites
	@echo 'building $* (if nothing is cached: 8 min for the first kube-*, else 1 to 2 min)'
	@start=$$(date +%s); package='$(filter %/$* %/$*/server/v3,$(PACKAGES))'; \
	cd $(COMPONENTS) && \
	version=$$(go list -f '{{.Module.Version}}' $$package) && \
	go build -tags '$(TAGS_$*)' -ldflags "-s -w -X $(GITVERSION)=$$version" -o $(CURDIR)/$@ $$package && \
	touch $(CURDIR)/$@ && \
	echo "built $* $$version in $$(($$(date +%s) - start)) s"

.PHONY: prerequisites
prerequisites:
	@need() { command -v "$$1" >/dev/null || { echo "$$1 is missing: $$2" >&2; exit 1; }; }; \
	need go 'install $(GO_VERSION) or later, see go.dev/doc/install' && \
	need git 'on Debian, apt-get install git' && \
	need "$$(go env CC)" 'a C compiler; on Debian, apt-get install gcc libc6-dev' && \
	have=$$(go env GOVERSION) && \
	first=$$(printf '%s\n' $(GO_VERSION) "$$have" | sort -V | head -n 1) && \
	[ "$$first" = $(GO_VERSION) ] || { echo "$$have is too old: install $(GO_VERSION) or later" >&2; exit 1; }

.PHONY: test
test: tools ## Run all tests, also those against the local control plane
	go test -race -timeout 40m ./...
	go -C $(BENCH) test ./...
	go -C $(CHART) test -timeout 20m ./...

.PHONY: unit
unit: ## Run the tests that need no control plane
	go test -race $$(go list ./... | grep -v -e /test/integration -e /test/cluster)

# How often "make bench" runs each profile, and each Go benchmark.
ROUNDS ?= 3
COUNT ?= 6

.PHONY: bench
bench: prerequisites bin/tools/etcd ## Compare throughput with stock and peers, run the Go benchmarks (40 min), write docs/benchmarks.md
	go -C $(BENCH) run . -root $(CURDIR) -rounds $(ROUNDS) -count $(COUNT)

# How long "make fuzz" runs each test, and below which folders it looks for them.
FUZZTIME ?= 10m
FUZZ ?= cmd pkg

.PHONY: fuzz
fuzz: ## Fuzz all that reads input, one test after the other for FUZZTIME=10m each
	@failed=; \
	for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' $(FUZZ) | xargs -n 1 dirname | sort -u); do \
		names=$$(go test -list '^Fuzz' ./$$dir) || exit 1; \
		for name in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "== $$(date +%T) $$name in $$dir for $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) ./$$dir || failed="$$failed $$dir:$$name"; \
		done; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

.PHONY: lint
lint: ## Check the code and the module files
	$(LINT) run
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted" >&2; exit 1; }
	go vet ./...
	go -C $(BENCH) vet ./...
	go -C $(CHART) vet ./...
	go mod tidy -diff
	go -C $(COMPONENTS) mod tidy -diff
	go -C $(BENCH) mod tidy -diff
	go -C $(CHART) mod tidy -diff

.PHONY: presubmit
presubmit: lint test ## Everything that a change has to pass

.PHONY: demo
demo: prerequisites $(filter-out bin/tools/prometheus,$(TOOLS)) build ## Show Plimsoll at work on a local control plane (KEEP=1 leaves it running)
	go build -o bin/demo ./test/demo
	KEEP=$(KEEP) bin/demo

.PHONY: image
image: ## Build the container image
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
