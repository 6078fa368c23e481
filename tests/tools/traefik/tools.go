//go:build tools

// Package tools pins the ingress controller that the examples use.
package tools

import _ "github.com/traefik/traefik/v3/cmd/traefik"
