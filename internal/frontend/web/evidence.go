package web

import (
	"net"
	"net/http"
	"net/netip"
)

// proxyHeaders are the headers by which a proxy says for whom it asks.
var proxyHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"}

// maySeeEvidence reports whether the client is one of those who may: it is on this host,
// or the toolkit's file makes clients prove who they are, by a certificate or as a user.
func (s *Server) maySeeEvidence(r *http.Request) bool {
	return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 || isLocal(r) || s.users.knows(r)
}

// isLocal reports whether the client is on this host, and asks for itself. A proxy on
// this host asks for others. And a page of another site, whose name resolves to a
// loopback address, asks under that name.
func isLocal(r *http.Request) bool {
	address := connOf(r).RemoteAddr()
	tcp, ok := address.(*net.TCPAddr)
	if !ok || !tcp.AddrPort().Addr().Unmap().IsLoopback() {
		return false
	}
	for _, name := range proxyHeaders {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	return isLoopbackHost(r.Host)
}

// isLoopbackHost reports whether the Host of a request is a loopback address or localhost.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	if l := len(host); l > 1 && host[0] == '[' && host[l-1] == ']' {
		host = host[1 : l-1]
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
