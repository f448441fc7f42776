package terminal

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"Übergröße 番組, 100 %":              "Übergröße 番組, 100 %",
		"\x1b[31mred\x1b[0m":               `\x1b[31mred\x1b[0m`,
		"a\nb\tc\rd\x00e":                  `a\nb\tc\rd\x00e`,
		"\u009b2J":                         `\u009b2J`,
		"\u202etxet":                       `\u202etxet`,
		"\xff\xc3":                         `\xff\xc3`,
		"it's \"so\" \\ \ufffd \U000e0041": `it's "so" \ � \U000e0041`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestPrintableJSON(t *testing.T) {
	for _, text := range []string{"", "Ü 番 \U0001f4fa", "\x1b[2J\x7f\u009b\u202e\U000e0041\"\\\n"} {
		document, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		escaped := PrintableJSON(document)
		for _, r := range string(escaped) {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: %q is still in %q", text, r, escaped)
			}
		}
		var back string
		if err := json.Unmarshal(escaped, &back); err != nil || back != text {
			t.Errorf("%q became %q, %v", text, back, err)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("main loop \x1b[0m\u009b\xff")
	f.Fuzz(func(t *testing.T, text string) {
		escaped := Printable(text)
		for _, r := range escaped {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: %q is still in %q", text, r, escaped)
			}
		}
		if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 &&
			strings.ToValidUTF8(text, "") == text && escaped != text {
			t.Errorf("%q is printable, but became %q", text, escaped)
		}
	})
}
