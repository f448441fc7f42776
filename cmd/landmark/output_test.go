package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestColoursAreForTerminals(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if wantsColours(file) {
		t.Error("a file is to be written in colours")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no terminal to be had: %v", err)
	}
	defer terminal.Close()
	if !wantsColours(terminal) {
		t.Error("a terminal is not to be written in colours")
	}
	t.Setenv("NO_COLOR", "1")
	if wantsColours(terminal) {
		t.Error("a terminal is to be written in colours against its reader's will")
	}
}
