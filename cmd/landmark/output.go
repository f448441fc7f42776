package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/landmark-health/landmark/internal/terminal"
)

// output is where a command writes. The screen is that of out.
type output struct {
	out, err io.Writer
	terminal.Screen
}

// table writes a table.
func (o output) table(t *terminal.Table) error { return t.Write(o.out, o.Screen) }

// tableBelow writes a table below what was written before, unless it is empty.
func (o output) tableBelow(t *terminal.Table) error {
	if t.Empty() {
		return nil
	}
	if _, err := io.WriteString(o.out, "\n"); err != nil {
		return err
	}
	return o.table(t)
}

// format is the flag -o.
type format string

// The formats.
const (
	asTable format = "table"
	asJSON  format = "json"
)

// String implements flag.Value.
func (f *format) String() string { return string(*f) }

// Set implements flag.Value.
func (f *format) Set(s string) error {
	if *f = format(s); *f != asTable && *f != asJSON {
		return errors.New("give table or json")
	}
	return nil
}

// message returns a message in protobuf's JSON, with the fields that are zero.
func message(m proto.Message) (json.RawMessage, error) {
	return protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
}

// document writes a value as an indented JSON document.
func (o output) document(v any) error { return o.encode(v, "  ") }

// line writes a value as JSON on one line.
func (o output) line(v any) error { return o.encode(v, "") }

func (o output) encode(v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := o.out.Write(terminal.PrintableJSON(b.Bytes()))
	return err
}
