// kind-cni stands in for kind's kindnetd, which is published as an image only. On every node it writes the configuration of
// the ptp and host-local plugins for the node's Pod subnets, keeps a route to those of every other node, and masquerades what
// leaves the Pod network. It hears of nodes by a watch.
package main

import (
	"log"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

func main() {
	self := os.Getenv("NODE_NAME")
	uplink, err := netlink.LinkByName("eth0")
	must(err)
	must(masquerade(strings.Split(os.Getenv("POD_SUBNET"), ",")))

	config, err := rest.InClusterConfig()
	must(err)
	// kind names the control plane here: the Service's own address is kube-proxy's work, which may not have begun.
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	client, err := kubernetes.NewForConfig(config)
	must(err)

	seen := func(object any) {
		node := object.(*v1.Node)
		if node.Name == self {
			must(writeConfig(node, uplink.Attrs().MTU))
		} else {
			must(route(node, uplink))
		}
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    seen,
		UpdateFunc: func(_, object any) { seen(object) },
	})
	must(err)
	factory.Start(nil)
	select {}
}

// must ends the program: the kubelet starts it again.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func isIPv6(address string) bool { return strings.Contains(address, ":") }
