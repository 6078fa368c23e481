//go:build tools

// Package tools pins what kubeadm asks the container runtime with.
package tools

import (
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
)
