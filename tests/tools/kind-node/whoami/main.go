// whoami answers every request with what it knows of it, in the format of traefik/whoami, for which it stands in where no
// image registry is at hand.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", answer)
	log.Fatal(http.ListenAndServe(":80", nil))
}

func answer(w http.ResponseWriter, r *http.Request) {
	hostname, _ := os.Hostname()
	fmt.Fprintln(w, "Hostname:", hostname)
	addresses, _ := net.InterfaceAddrs()
	for _, address := range addresses {
		if prefix, ok := address.(*net.IPNet); ok {
			fmt.Fprintln(w, "IP:", prefix.IP)
		}
	}
	fmt.Fprintln(w, "RemoteAddr:", r.RemoteAddr)
	// The request line, Host and headers as they came.
	if err := r.Write(w); err != nil {
		log.Print(err)
	}
}
