package host

import (
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkReading measures the cost of each part of a view.
func BenchmarkReading(b *testing.B) {
	route, diag := newNetlink(unix.NETLINK_ROUTE), newNetlink(unix.NETLINK_SOCK_DIAG)
	defer route.close()
	defer diag.close()
	for _, part := range []struct {
		name string
		read func() error
	}{
		{"addresses", func() error { _, err := addresses(route); return err }},
		{"links", func() error { _, err := links(route); return err }},
		{"arp", func() error { _, err := readARPAll(); return err }},
		{"listeners", func() error { _, err := listeners(diag, 5400); return err }},
		{"waiting", func() error { _, err := connections(diag, unix.AF_INET, 5400); return err }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := part.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
