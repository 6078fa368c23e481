package main

import (
	"fmt"
	"net"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	v1 "k8s.io/api/core/v1"
)

// route sends what is for a node's Pods to that node, in each family that both its Pods and itself have.
func route(node *v1.Node, uplink netlink.Link) error {
	for _, cidr := range node.Spec.PodCIDRs {
		_, subnet, err := net.ParseCIDR(cidr)
		if err != nil {
			return fmt.Errorf("Pod subnet of node %s: %w", node.Name, err)
		}
		for _, address := range node.Status.Addresses {
			if address.Type != v1.NodeInternalIP || isIPv6(address.Address) != isIPv6(cidr) {
				continue
			}
			gateway := net.ParseIP(address.Address)
			way := &netlink.Route{Dst: subnet, Gw: gateway, LinkIndex: uplink.Attrs().Index}
			if err := netlink.RouteReplace(way); err != nil {
				return fmt.Errorf("route to %s, the Pods of node %s, by %s: %w", subnet, node.Name, gateway, err)
			}
		}
	}
	return nil
}

// masquerade hides Pods behind their node from everything but Pods: no one else has a route back to them.
func masquerade(podSubnets []string) error {
	var rules strings.Builder
	for _, subnet := range podSubnets {
		family := "ip"
		if isIPv6(subnet) {
			family = "ip6"
		}
		// Only what goes on to another host: what is for this node, or for everybody, keeps its source.
		fmt.Fprintf(&rules, "%[1]s saddr %[2]s %[1]s daddr != %[2]s fib daddr type unicast masquerade\n", family, subnet)
	}
	// Declared, deleted and declared anew in one transaction: right also where an earlier start has left it behind.
	table := "table inet kind-cni {}\ndelete table inet kind-cni\ntable inet kind-cni {\n" +
		"chain leaving {\ntype nat hook postrouting priority srcnat + 1;\n" + rules.String() + "}\n}\n"
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(table)
	if output, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, output)
	}
	return nil
}
