//go:build tools

// Package tools pins what starts a kind node's containers.
package tools

import (
	_ "github.com/opencontainers/runc"
)
