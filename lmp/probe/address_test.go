package probe

import (
	"strings"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	for _, address := range []string{"10.0.0.7:19533", "[2001:db8::7]:19533", "[fe80::1%eth0]:1", "epg.example:65535"} {
		if err := CheckAddress(address); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []string{"", "10.0.0.7", ":19533", "10.0.0.7:", "10.0.0.7:0", "10.0.0.7:65536", "10.0.0.7:lmp", "2001:db8::7:19533"} {
		if err := CheckAddress(address); err == nil || !strings.Contains(err.Error(), "10.0.0.7:19533") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
