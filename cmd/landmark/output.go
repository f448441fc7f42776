package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// output is where a command tells what it has to.
type output struct {
	out, err io.Writer
	colours  bool // out shows them
}

// wantsColours reports whether whoever reads the file sees colours, and wants
// to (https://no-color.org).
func wantsColours(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("NO_COLOR") == ""
}

// colour is how a text is to be shown.
type colour string

// The colours, as terminals know them.
const (
	plain  colour = ""
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

// paint returns the text in the colour, if there are any.
func (o output) paint(c colour, text string) string {
	if !o.colours || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
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
		return fmt.Errorf("give table or json")
	}
	return nil
}

// message returns a message in protobuf's JSON. Fields that are zero are there
// too, for whoever reads it by program.
func message(m proto.Message) (json.RawMessage, error) {
	return protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
}

// document writes a value as one JSON document, over several lines.
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
	_, err := o.out.Write(printableJSON(b.Bytes()))
	return err
}
