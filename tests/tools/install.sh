#!/usr/bin/env bash
# install.sh [--check] [SET]: builds the programs that tests run through the Go module proxy, and prints the folder they are
# in. The sets: `sandbox` is the sandbox's cluster and the examples' ingress controller, `sandbox-1.30` the same with the oldest
# Kubernetes that Landfall is made for, `kind` has the programs of a kind node as well, `kind-client` only what talks to one,
# `upstream` Kubernetes' own tests besides `kind`. Where none is named it is `sandbox`, or LANDFALL_KUBERNETES' `sandbox-1.30`.
# Each is cached by its module's pins outside target/, so a second call takes no time. Runs as the caller, never as root
# by itself. kube-apiserver, etcd and kubectl are taken from KUBEBUILDER_ASSETS where it names a folder that has them.
# With --check it builds nothing, and fails where something is to be built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${LANDFALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/landfall}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS="${GOFLAGS:-} -mod=mod"
[ "$GOTOOLCHAIN" = local ] && export GOTOOLCHAIN=auto

check=""
if [ "${1:-}" = --check ]; then
    check=1
    shift
fi
usual=sandbox
[ "${LANDFALL_KUBERNETES:-1.37}" = 1.37 ] || usual=sandbox-$LANDFALL_KUBERNETES
set_name=${1:-$usual}

say() { printf '%s\n' "$*" >&2; }
# What a module's programs are made from: its pins and its own sources.
pins() { (cd "$here/$1" && find . -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-12); }
version() { awk -v m="$2" '$1 == m { print $2; exit } $1 == "require" && $2 == m { print $3; exit }' "$here/$1/go.mod"; }

bin=$cache/tools/$set_name-$(pins .)
mkdir -p "$bin"

# build MODULE PACKAGE NAME LDFLAGS [COMMAND...]: from a copy of the module (prepared by its prepare.sh, if it has one) into a
# folder named by the pins, linked into $bin; by `go build`, unless COMMAND says otherwise.
build() {
    local module=$1 package=$2 name=$3 ldflags=$4 store
    shift 4
    [ $# -gt 0 ] || set -- go build
    store=$cache/build/$module-$(pins "$module")
    mkdir -p "$store"
    if [ ! -x "$store/$name" ]; then
        [ -z "$check" ] || exit 1
        local start=$SECONDS
        say "tools: building $name (once; cached in $store)"
        rm -rf "$store/src"
        cp -r "$here/$module" "$store/src"
        (
            cd "$store/src"
            [ ! -x prepare.sh ] || ./prepare.sh
            "$@" -trimpath -ldflags "-s -w $ldflags" -o "$store/.$name" "$package"
        )
        mv "$store/.$name" "$store/$name"
        rm -rf "$store/src"
        say "tools: $name built in $((SECONDS - start)) s"
    fi
    ln -sfn "$store/$name" "$bin/$name"
}
# ready NAME: takes NAME from KUBEBUILDER_ASSETS; fails where it is not there.
ready() {
    [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -x "$KUBEBUILDER_ASSETS/$1" ] && ln -sfn "$KUBEBUILDER_ASSETS/$1" "$bin/$1"
}

# stamp MODULE: what tells Kubernetes' programs their own version.
stamp() {
    local k8s version=k8s.io/component-base/version
    k8s=$(version "$1" k8s.io/kubernetes)
    echo "-X $version.gitVersion=$k8s -X $version.gitMajor=1 -X $version.gitMinor=$(echo "$k8s" | cut -d. -f2)"
}
# kubernetes MODULE NAME...: Kubernetes' programs at the version that the module pins.
kubernetes() {
    local module=$1
    shift
    for name in "$@"; do build "$module" k8s.io/kubernetes/cmd/$name $name "$(stamp "$module")"; done
}

sandbox() {
    for name in kube-apiserver kubectl; do ready $name || kubernetes kubernetes $name; done
    kubernetes kubernetes kube-controller-manager kube-proxy
    beside_kubernetes
}

# KUBEBUILDER_ASSETS has programs of some version; these are of this one.
sandbox-1.30() {
    kubernetes kubernetes-1.30 kube-apiserver kubectl kube-controller-manager kube-proxy
    beside_kubernetes
}

beside_kubernetes() {
    ready etcd || build etcd go.etcd.io/etcd/server/v3 etcd ""
    build traefik github.com/traefik/traefik/v3/cmd/traefik traefik "-X github.com/traefik/traefik/v3/pkg/version.Version=$(version traefik github.com/traefik/traefik/v3)"
}

kind-client() {
    ready kubectl || kubernetes kubernetes kubectl
    build kind sigs.k8s.io/kind kind ""
}

kind() {
    sandbox
    kind-client
    kubernetes kubernetes kube-scheduler kubeadm kubelet
    local containerd=github.com/containerd/containerd/v2
    for name in containerd containerd-shim-runc-v2 ctr; do
        build containerd $containerd/cmd/$name $name "-X $containerd/version.Version=$(version containerd $containerd)" \
            go build -tags 'no_aufs no_zfs no_btrfs no_devmapper'
    done
    # The only one with C in it: the kernel's system call filter, which Pods with seccompProfile RuntimeDefault ask for.
    build runc github.com/opencontainers/runc runc "-X main.version=$(version runc github.com/opencontainers/runc | tr -d v)" \
        env CGO_ENABLED=1 go build -tags seccomp
    build crictl sigs.k8s.io/cri-tools/cmd/crictl crictl ""
    build coredns github.com/coredns/coredns coredns ""
    local plugins=github.com/containernetworking/plugins/plugins
    for package in main/loopback main/ptp ipam/host-local meta/portmap; do
        build cni-plugins $plugins/$package "${package#*/}" ""
    done
    build kind-node ./cni kind-cni ""
    build kind-node ./pause pause ""
    build kind-node ./whoami whoami ""
    build kubernetes k8s.io/kubernetes/test/images/agnhost agnhost ""
}

upstream() {
    kind
    build kubernetes k8s.io/kubernetes/test/e2e e2e.test "$(stamp kubernetes)" go test -c
}

case $set_name in
sandbox | sandbox-1.30 | kind | kind-client | upstream) $set_name ;;
*)
    say "tools: there is no set $set_name: sandbox, sandbox-1.30, kind, kind-client or upstream"
    exit 2
    ;;
esac
echo "$bin"
