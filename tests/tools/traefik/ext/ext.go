// Package ext stands in for the hooks that traefik's own tree keeps in a nested module, which no module proxy serves.
package ext

// HTTP adds nothing to the HTTP configuration.
type HTTP struct{}

// Router adds nothing to a router.
type Router struct{}
