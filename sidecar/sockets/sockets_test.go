package sockets

import "testing"

func TestAdminLiesInTheRuntimeDirectory(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "/run/epg")
	if got, want := Admin(), "/run/epg/admin.sock"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
