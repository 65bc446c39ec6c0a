# "make image" needs no Docker; this is for those who want it: "make image-docker", or
# docker build --build-arg VERSION=v0.1.0 -t plimsoll:v0.1.0 .
# For an older minor of Kubernetes, "make image-docker K8S=1.36" adds flags of the go command.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go*.mod go*.sum ./
ARG GOFLAGS
RUN go mod download
COPY . .
ARG VERSION=v0.1.0
ARG TARGETOS
ARG TARGETARCH
# component-base has the version that --version, the user agent and metrics
# tell as Kubernetes'. A build of a module does not set it.
RUN KUBERNETES="$(go list -m -f '{{.Version}}' k8s.io/kubernetes)" && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
      -ldflags "-s -w -X main.version=$VERSION -X k8s.io/component-base/version.gitVersion=$KUBERNETES" \
      -o /out/scheduler ./cmd/scheduler

# The scheduler is static and trusts no CA but the cluster's, which the service
# account brings, so it needs nothing from a base image.
FROM scratch
COPY --from=build /out/scheduler /scheduler
USER 65532:65532
ENTRYPOINT ["/scheduler"]
