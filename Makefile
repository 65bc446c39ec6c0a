# Needs GNU make, Go, git and a C compiler. "make" alone lists the targets.

# The minor of Kubernetes to build for and to test on: that of go.mod, or one of OLDER,
# which has a module file and a build tag of its own. See "make modules".
NEWEST := $(shell sed -n 's/^\tk8s.io\/kubernetes v\(1\.[0-9]*\)\..*/\1/p' go.mod)
OLDER := 1.36 1.35
K8S ?= $(NEWEST)
# All programs, tests and images are built with the same flags: what is compiled for one
# serves the others. What debuggers need would be a tenth of compiling, and is left out of
# what is released anyway. Without cgo no C compiler is needed but for what races and for runc.
COMMON_FLAGS := -trimpath -gcflags=all=-dwarf=false
export GOFLAGS := $(COMMON_FLAGS) $(GOFLAGS)
export CGO_ENABLED ?= 0
# Before a go command for a module that is the same for all minors.
ANY_MINOR := GOFLAGS='$(COMMON_FLAGS)'

# The flags of the go command for an older minor; its module file is in the folder $(2).
flags_for = -modfile=$(2)go-$(1).mod -tags=k8s$(subst .,,$(1))
ifeq ($(K8S),$(NEWEST))
MINOR_FLAGS :=
else ifneq ($(filter $(K8S),$(OLDER)),)
# Of the go command, in the root of the checkout, and for the tests that call it
# elsewhere.
MINOR_FLAGS := $(call flags_for,$(K8S))
export GOFLAGS := $(GOFLAGS) $(call flags_for,$(K8S),$(CURDIR)/)
TOOLS_OF_MINOR := $(addprefix bin/tools-$(K8S)/,kube-apiserver kube-controller-manager kube-scheduler)
else
$(error K8S=$(K8S): must be $(NEWEST), or one of $(OLDER))
endif

COMPONENTS := test/cluster/components
BENCH := test/perf
CHART := test/chart
BROWSER := test/browser
NODE := test/node
RELEASE := release
# The import path of each program of the local control plane, and its file.
PACKAGES := $(shell sed -n '/^tool (/,/^)/s/^\t//p' $(COMPONENTS)/go.mod)
# Prometheus without the service discoveries, whose libraries (one a cloud) are
# most of its code.
TAGS_prometheus := remove_all_sd
TAGS_promtool := remove_all_sd
TOOLS := $(filter-out bin/tools/kubelet $(TOOLS_OF_MINOR:bin/tools-$(K8S)/%=bin/tools/%),$(addprefix bin/tools/,$(notdir $(PACKAGES:/server/v3=))))

# The same for the programs of real nodes besides the kubelet, and the images that they run.
NODE_COMPONENTS := $(NODE)/components
NODE_PACKAGES := $(shell sed -n '/^tool (/,/^)/s/^\t//p' $(NODE_COMPONENTS)/go.mod)
NODE_TOOLS := $(addprefix bin/node/,$(notdir $(NODE_PACKAGES)))
NODE_IMAGES := pause server deviceplugin dradriver
TAGS_runc := seccomp
TAGS_containerd := no_btrfs
CGO_runc := 1

# Evaluated only by the targets that use them.
GO_VERSION = $(shell sed -n 's/^go /go/p' go.mod)
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo v0.1.0-dev)
KUBERNETES_VERSION = $(shell go list $(MINOR_FLAGS) -m -f '{{.Version}}' k8s.io/kubernetes)
GITVERSION := k8s.io/component-base/version.gitVersion
LDFLAGS = -X main.version=$(VERSION) -X $(GITVERSION)=$(KUBERNETES_VERSION)
LINT := go tool -modfile=go.tools.mod golangci-lint

# What an image is called that is for a minor of Kubernetes.
image_for = plimsoll:$(VERSION)$(if $(filter-out $(NEWEST),$(1)),-k8s$(1))
IMAGE ?= $(call image_for,$(K8S))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the scheduler and the plugin of kubectl: bin/scheduler, bin/kubectl-plimsoll
	go build -ldflags '$(LDFLAGS)' -o bin/scheduler ./cmd/scheduler
	go build -ldflags '$(LDFLAGS)' -o bin/kubectl-plimsoll ./cmd/kubectl-plimsoll
	ln -sf kubectl-plimsoll bin/kubectl_complete-plimsoll

.PHONY: tools
tools: prerequisites $(TOOLS) $(TOOLS_OF_MINOR) ## Build the local control plane for tests and demo: bin/tools (first time: 15 min)

# The linker flag tells the Kubernetes programs their version; a build from a
# module does not know it. The other programs ignore it.
bin/tools/%: $(COMPONENTS)/go.mod | prerequisites
	@echo 'building $* (if nothing is cached: 8 min for the first kube-*, else 1 to 2 min)'
	@start=$$(date +%s); package='$(filter %/$* %/$*/server/v3,$(PACKAGES))'; \
	export $(ANY_MINOR) && cd $(COMPONENTS) && \
	version=$$(go list -f '{{.Module.Version}}' $$package) && \
	go build -tags '$(TAGS_$*)' -ldflags "-s -w -X $(GITVERSION)=$$version" -o $(CURDIR)/$@ $$package && \
	touch $(CURDIR)/$@ && \
	echo "built $* $$version in $$(($$(date +%s) - start)) s"

# Kubernetes' own programs of an older minor. What else there is is the same for all.
bin/tools-$(K8S)/%: go-$(K8S).mod | prerequisites
	@echo 'building $* $(KUBERNETES_VERSION) (if nothing is cached: 8 min for the first, else 1 to 2 min)'
	@go build -ldflags '-s -w -X $(GITVERSION)=$(KUBERNETES_VERSION)' -o $@ k8s.io/kubernetes/cmd/$*
	@touch $@ && for tool in $(notdir $(TOOLS)); do ln -sf ../tools/$$tool $(@D)/; done

bin/node/%: $(NODE_COMPONENTS)/go.mod | prerequisites
	@echo 'building $* (if nothing is cached: up to 2 min)'
	@$(ANY_MINOR) CGO_ENABLED=$(or $(CGO_$*),0) go -C $(NODE_COMPONENTS) build -tags '$(TAGS_$*)' -ldflags '-s -w' -o $(CURDIR)/$@ '$(filter %/$*,$(NODE_PACKAGES))' && touch $@

bin/node/kubelet: bin/tools/kubelet
	@mkdir -p bin/node && ln -f $< $@

.PHONY: node-tools
node-tools: seccomp $(NODE_TOOLS) bin/node/kubelet ## Build the programs of real nodes, and the images that they run: bin/node
	go -C $(NODE) build -o $(CURDIR)/bin/node/machine ./machine
	@mkdir -p bin/node/images
	@for image in $(NODE_IMAGES); do \
		$(MAKE_RELEASE) image -version v1 -platforms linux/$$(go env GOARCH) -spec ../test/$$image/image.yaml -image plimsoll.test/$$image:v1 \
			-layout $(CURDIR)/bin/node/images/$$image -archive $(CURDIR)/bin/node/images/$$image.tar || exit 1; \
	done
	$(MAKE) --no-print-directory image VERSION=v0.1.0 PLATFORMS=linux/$$(go env GOARCH) IMAGE_DIR=bin/node/images/plimsoll

.PHONY: seccomp
seccomp:
	@echo '#include <seccomp.h>' | $$(go env CC) -E - >/dev/null 2>&1 || \
	{ echo 'the headers of libseccomp are missing, which runc is built with: on Debian, apt-get install libseccomp-dev' >&2; exit 1; }

.PHONY: newest
newest:
	@[ $(K8S) = $(NEWEST) ] || { echo "K8S=$(K8S): this is for $(NEWEST) only" >&2; exit 1; }

.PHONY: prerequisites
prerequisites:
	@need() { command -v "$$1" >/dev/null || { echo "$$1 is missing: $$2" >&2; exit 1; }; }; \
	need go 'install $(GO_VERSION) or later, see go.dev/doc/install' && \
	need git 'on Debian, apt-get install git' && \
	need "$$(go env CC)" 'a C compiler; on Debian, apt-get install gcc libc6-dev' && \
	have=$$(go env GOVERSION) && \
	first=$$(printf '%s\n' $(GO_VERSION) "$$have" | sort -V | head -n 1) && \
	[ "$$first" = $(GO_VERSION) ] || { echo "$$have is too old: install $(GO_VERSION) or later" >&2; exit 1; }

.PHONY: browser
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do \
		command -v $$name >/dev/null && exit 0; \
	done; \
	echo 'Chromium is missing, which the page of the dashboard is tested with: on Debian, apt-get install chromium' >&2; exit 1

# Not empty where nodes can be started that a real kubelet runs.
REAL_NODES = $(shell [ "$$(id -u)" = 0 ] && unshare --mount --net --pid --ipc --uts --fork true 2>/dev/null && echo yes)
NO_REAL_NODES := Tests on real nodes need Linux, and root that may make namespaces

.PHONY: real-nodes
real-nodes: seccomp
	@[ -n '$(REAL_NODES)' ] || { echo '$(NO_REAL_NODES)' >&2; exit 1; }

.PHONY: test
test: tools $(if $(MINOR_FLAGS),,browser $(if $(REAL_NODES),seccomp)) ## Run all tests, also those against the local control plane
	$(GO_TEST) -timeout 40m ./...
ifeq ($(K8S),$(NEWEST))
	go -C $(BENCH) test $(NO_VET) ./...
	go -C $(CHART) test $(NO_VET) -timeout 20m ./...
	go -C $(BROWSER) test $(NO_VET) -timeout 20m ./...
	go -C $(RELEASE) test $(NO_VET) ./...
	$(if $(REAL_NODES),@$(MAKE) --no-print-directory test-node,@echo 'make test-node is left out. $(NO_REAL_NODES)' >&2)
endif

.PHONY: test-node
test-node: newest real-nodes tools build node-tools ## Run the tests on real nodes: a kubelet, containerd, a device plugin (root on Linux)
	go -C $(NODE) test $(NO_VET) -p 1 -timeout 30m -v ./... > bin/node/test.log 2>&1 && rc=0 || rc=$$?; \
		grep -E '^(ok|FAIL|---|the first|\|)|_test.go:' bin/node/test.log || cat bin/node/test.log; exit $$rc

# What finds data races. It has all of Kubernetes compiled anew: RACE= goes without.
RACE ?= -race
# "make lint" vets. "go test" would as well, and read all of Kubernetes for that.
NO_VET := -vet=off
GO_TEST = $(if $(RACE),CGO_ENABLED=1 )go test $(NO_VET) $(RACE)

.PHONY: unit
unit: ## Run the tests that need no control plane
	$(GO_TEST) $$(go list ./... | grep -v -e /test/integration -e /test/cluster)

.PHONY: smoke
smoke: tools ## Place a few pods by the local control plane, and have it check the chart's objects
	$(GO_TEST) -timeout 10m -run '^Test(ControlPlaneIsOfTheMinorThatIsBuiltFor|Placement|FilterAtTheThreshold)$$' ./test/integration
	$(ANY_MINOR) go -C $(CHART) test $(NO_VET) -timeout 10m -run '^TestObjectsPassStrictDryRun$$' . -args -tools $(CURDIR)/bin/tools$(if $(MINOR_FLAGS),-$(K8S))

# How often "make bench" runs each profile that a goal is for, and each Go benchmark;
# and how long it may take: what else there is to run is left out.
ROUNDS ?= 3
COUNT ?= 3
WITHIN ?= 30m

.PHONY: bench
bench: newest prerequisites bin/tools/etcd ## Compare throughput with stock and peers, run the Go benchmarks (30 min), write docs/benchmarks.md
	go -C $(BENCH) run . -root $(CURDIR) -rounds $(ROUNDS) -count $(COUNT) -within $(WITHIN)

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

.PHONY: generate
generate: ## Write what is made from the code: docs/metrics.md, docs/arguments.md
	go test ./test/metrics -run TestDocumentIsThatOfTheCode -rewrite
	go test ./test/arguments -run TestReferenceIsThatOfTheCode -rewrite

.PHONY: lint
lint: newest ## Check the code and the module files
	$(LINT) run
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on: $$unformatted" >&2; exit 1; }
	go vet ./...
	$(foreach minor,$(OLDER),go list $(call flags_for,$(minor)) -test -export ./... >/dev/null && ) true # compiles all
	go -C $(BENCH) vet ./...
	go -C $(CHART) vet ./...
	go -C $(BROWSER) vet ./...
	go -C $(RELEASE) vet ./...
	go -C $(NODE) vet ./...
	go mod tidy -diff
	go -C $(COMPONENTS) mod tidy -diff
	go -C $(BENCH) mod tidy -diff
	go -C $(CHART) mod tidy -diff
	go -C $(BROWSER) mod tidy -diff
	go -C $(RELEASE) mod tidy -diff
	go -C $(NODE) mod tidy -diff
	go -C $(NODE_COMPONENTS) mod tidy -diff
	@$(MAKE) --no-print-directory check-modules

.PHONY: check-modules
check-modules: newest
	@derived=$$(mktemp -d) && trap 'rm -rf "$$derived"' EXIT && \
	$(MAKE) --no-print-directory modules DERIVED="$$derived" && \
	for minor in $(OLDER); do for file in go-$$minor.mod go-$$minor.sum; do \
		diff -u $$file "$$derived/$$file" || { echo "run make modules: $$file is not what follows from go.mod" >&2; exit 1; }; \
	done; done

# The older minors: the patch release, and the controller-runtime that was made for it.
KUBERNETES_1.36 := v1.36.3
KUBERNETES_1.35 := v1.35.4
CONTROLLER_RUNTIME_1.36 := v0.24.1
CONTROLLER_RUNTIME_1.35 := v0.23.3
DERIVED := .

.PHONY: modules
modules: newest $(OLDER:%=modules-%) ## Derive the module files of the older minors from go.mod

# Everything is as in go.mod but for Kubernetes and what goes with it. Which modules
# that is made of is in its own go.mod. The programs are those of the local control plane.
modules-%:
	@mod='$(DERIVED)/go-$*.mod' version='$(KUBERNETES_$*)' && \
	grep -v '^	k8s\.io/[a-z-]* v0\.$(NEWEST:1.%=%)\.' go.mod > "$$mod" && \
	sort -u go.sum $(COMPONENTS)/go.sum > "$${mod%.mod}.sum" && \
	own=$$(go mod download -json "k8s.io/kubernetes@$$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p') && \
	go mod edit -require="k8s.io/kubernetes@$$version" -require=sigs.k8s.io/controller-runtime@$(CONTROLLER_RUNTIME_$*) \
		$$(sed -n 's,^	\(k8s\.io/[a-z-]*\) v0\.0\.0\( //.*\)*$$,-require=\1@v0.'"$${version#v1.}",p "$$own") \
		$(addprefix -tool=k8s.io/kubernetes/cmd/,kube-apiserver kube-controller-manager kube-scheduler) "$$mod" && \
	go mod tidy -modfile="$$mod"

.PHONY: presubmit
presubmit: lint test ## Everything that a change has to pass

.PHONY: demo
demo: prerequisites $(filter-out bin/tools/prom%,$(TOOLS)) $(TOOLS_OF_MINOR) build ## Show Plimsoll at work on a local control plane (KEEP=1 leaves it running)
	go build -o bin/demo ./test/demo
	KEEP=$(KEEP) bin/demo

# "make image" also pushes to REGISTRY, such as registry.example.com/team, if there is
# one. PLATFORMS=linux/amd64 restricts it, and "make release" as well.
REGISTRY ?=
PLATFORMS ?=
IMAGE_DIR ?= bin/image$(if $(MINOR_FLAGS),-$(K8S))
IMAGE_ARCHIVE ?= $(IMAGE_DIR).tar
IMAGE_SBOMS ?=

# What is built is dated by its commit, so that it is the same whenever it is built.
COMMIT_TIME = $(shell git log -1 --format=%ct 2>/dev/null)
REVISION = $(shell git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null)
MAKE_RELEASE = $(ANY_MINOR) SOURCE_DATE_EPOCH='$(or $(SOURCE_DATE_EPOCH),$(COMMIT_TIME))' go -C $(RELEASE) run .
OF_THE_BUILD = -version '$(VERSION)' -revision '$(REVISION)' -flags '$(MINOR_FLAGS)' -ldflags '$(LDFLAGS)'

.PHONY: image
image: ## Build the container image: bin/image, bin/image.tar; push it to REGISTRY=
	@mkdir -p bin
	$(MAKE_RELEASE) image $(OF_THE_BUILD) -platforms '$(PLATFORMS)' -image '$(IMAGE)' -registry '$(REGISTRY)' \
		-layout $(abspath $(IMAGE_DIR)) -archive $(abspath $(IMAGE_ARCHIVE)) -sboms '$(abspath $(IMAGE_SBOMS))'

.PHONY: manifests
manifests: ## Write all that is to be installed in one file, for the image in REGISTRY=: bin/install.yaml
	@mkdir -p bin
	$(MAKE_RELEASE) manifests -image '$(IMAGE)' -registry '$(REGISTRY)' -out $(CURDIR)/bin/install.yaml

CONTAINER_TOOL ?= $(if $(shell command -v docker),docker,podman)

.PHONY: image-docker
image-docker: ## Build the container image by the Dockerfile
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) --build-arg GOFLAGS='$(MINOR_FLAGS)' -t $(IMAGE) .

# The minors of Kubernetes that "make release" makes images for, and the platforms that
# it makes the plugin of kubectl for: all by default.
MINORS ?= $(NEWEST) $(OLDER)
PLUGIN_PLATFORMS ?=
RELEASE_DIR := bin/release

.PHONY: release
release: newest ## Make all files of a release: bin/release (VERSION=v0.2.0)
	@rm -rf $(RELEASE_DIR) && mkdir -p $(RELEASE_DIR)
	$(MAKE_RELEASE) page $(OF_THE_BUILD) -platforms '$(PLUGIN_PLATFORMS)' -registry '$(REGISTRY)' \
		-images '$(foreach minor,$(MINORS),$(call image_for,$(minor)))' -out $(CURDIR)/$(RELEASE_DIR)
	$(foreach minor,$(MINORS),$(MAKE) --no-print-directory image K8S=$(minor) IMAGE_SBOMS=$(RELEASE_DIR) \
		IMAGE_ARCHIVE=$(RELEASE_DIR)/$(subst :,-image-,$(call image_for,$(minor))).tar && ) true
	$(MAKE_RELEASE) sums $(CURDIR)/$(RELEASE_DIR)

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
