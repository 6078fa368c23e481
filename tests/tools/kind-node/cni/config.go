package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
)

const (
	configFolder = "/etc/cni/net.d"
	// The name that kind waits for nowhere, but that kindnetd uses: `kubectl` and people look for it.
	configFile = "10-kindnet.conflist"
)

// writeConfig tells the container runtime how Pods of this node get their interface; with it the node becomes ready.
func writeConfig(node *v1.Node, mtu int) error {
	if len(node.Spec.PodCIDRs) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(pluginChain(node.Spec.PodCIDRs, mtu), "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(configFolder, configFile)
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	// The runtime watches the folder: it must never see half a file.
	unfinished := filepath.Join(configFolder, ".unfinished")
	if err := os.WriteFile(unfinished, text, 0o644); err != nil {
		return err
	}
	return os.Rename(unfinished, file)
}

type object = map[string]any

func pluginChain(subnets []string, mtu int) object {
	var ranges [][]object
	var routes []object
	for _, subnet := range subnets {
		ranges = append(ranges, []object{{"subnet": subnet}})
		destination := "0.0.0.0/0"
		if isIPv6(subnet) {
			destination = "::/0"
		}
		routes = append(routes, object{"dst": destination})
	}
	// Under /run: after a restart of the node no address is taken.
	addresses := object{"type": "host-local", "dataDir": "/run/cni-ipam-state", "ranges": ranges, "routes": routes}
	return object{
		"cniVersion": "0.3.1",
		"name":       "kindnet",
		"plugins": []object{
			{"type": "ptp", "ipMasq": false, "mtu": mtu, "ipam": addresses},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
}
