package main

import (
	"strings"
	"testing"
)

func TestRowsAreNamedInAnyCase(t *testing.T) {
	chosen, err := rowsNamed("^" + strings.ToUpper(udpRow.name) + "$")
	if err != nil || len(chosen) != 1 || chosen[0].name != udpRow.name {
		t.Errorf("got %d rows, %v, want %q", len(chosen), err, udpRow.name)
	}
}

func TestUnknownRowListsTheNames(t *testing.T) {
	_, err := rowsNamed("^no such row$")
	if err == nil {
		t.Fatal("got no error")
	}
	for _, r := range rows {
		if !strings.Contains(err.Error(), r.name) {
			t.Errorf("got %q, want the name %q in it", err, r.name)
		}
	}
}
