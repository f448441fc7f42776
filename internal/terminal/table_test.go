package terminal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a table like that of landmark status.
func example() *Table {
	t := NewTable("SERVICE", "STATUS", "LIVENESS", "CHECKED", "REASON")
	t.Add([]Cell{Text("epg"), Coloured(Red, "NOT_SERVING"), Text("NOT_SERVING"), Text("by 5, 2 silent"), Text("main loop last answered 3.2 s ago, allowed 1 s")},
		"failing main loop (loop, critical): checked, last answered 1 s ago, allowed 1 s")
	t.Add([]Cell{Text("vod"), Text("SERVING"), Text("SERVING"), Text("-"), Text("")})
	return t
}

func TestTableFitsScreen(t *testing.T) {
	for width, want := range map[int]string{
		0: `
SERVICE  STATUS       LIVENESS     CHECKED         REASON
epg      NOT_SERVING  NOT_SERVING  by 5, 2 silent  main loop last answered 3.2 s ago, allowed 1 s
    failing main loop (loop, critical): checked, last answered 1 s ago, allowed 1 s
vod      SERVING      SERVING      -
`,
		80: `
SERVICE  STATUS       LIVENESS     CHECKED         REASON
epg      NOT_SERVING  NOT_SERVING  by 5, 2 silent  main loop last answered 3.2 s
                                                   ago, allowed 1 s
    failing main loop (loop, critical): checked, last answered 1 s ago,
        allowed 1 s
vod      SERVING      SERVING      -
`,
		60: `
SERVICE  STATUS       LIVENESS     CHECKED
epg      NOT_SERVING  NOT_SERVING  by 5, 2 silent
    main loop last answered 3.2 s ago, allowed 1 s
    failing main loop (loop, critical): checked, last
        answered 1 s ago, allowed 1 s
vod      SERVING      SERVING      -
`,
		44: `
SERVICE  STATUS       LIVENESS     CHECKED
epg      NOT_SERVING  NOT_SERVING  by 5, 2
                                   silent
    main loop last answered 3.2 s ago,
    allowed 1 s
    failing main loop (loop, critical):
        checked, last answered 1 s ago,
        allowed 1 s
vod      SERVING      SERVING      -
`,
		30: `
SERVICE   epg
STATUS    NOT_SERVING
LIVENESS  NOT_SERVING
CHECKED   by 5, 2 silent
REASON    main loop last
          answered 3.2 s ago,
          allowed 1 s
    failing main loop
        (loop, critical):
        checked, last answered
        1 s ago, allowed 1 s

SERVICE   vod
STATUS    SERVING
LIVENESS  SERVING
CHECKED   -
`,
	} {
		var b strings.Builder
		if err := example().Write(&b, Screen{Width: width}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
			t.Errorf("on %d columns (-want +got):\n%s", width, diff)
		}
	}
}

// Wrapping moves words and loses none, and only a word that is itself too long passes
// the edge.
func TestTableKeepsWords(t *testing.T) {
	for width := 1; width < 150; width++ {
		var b strings.Builder
		if err := example().Write(&b, Screen{Width: width, Colours: true}); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"epg", "\x1b[31mNOT_SERVING\x1b[0m", "silent", "answered", "(loop,", "vod"} {
			if !strings.Contains(b.String(), word) {
				t.Errorf("on %d columns: no %q in\n%s", width, word, &b)
			}
		}
		for line := range strings.Lines(b.String()) {
			if visible(strings.TrimSuffix(line, "\n")) > max(width, len("LIVENESS  NOT_SERVING")) {
				t.Errorf("on %d columns: %q", width, line)
			}
		}
	}
}

func TestHang(t *testing.T) {
	const start, text = "23:59:58.000  epg  NOT_SERVING  stalled       0%  ", "main loop last answered 3.2 s ago, allowed 1 s"
	for width, want := range map[int]string{
		0:   start + text,
		120: start + text,
		80: "23:59:58.000  epg  NOT_SERVING  stalled       0%  main loop last answered 3.2 s\n" +
			"                                                  ago, allowed 1 s",
		60: "23:59:58.000  epg  NOT_SERVING  stalled       0%\n" +
			"    main loop last answered 3.2 s ago, allowed 1 s",
	} {
		if diff := cmp.Diff(want, Screen{Width: width}.Hang(start, text)); diff != "" {
			t.Errorf("on %d columns (-want +got):\n%s", width, diff)
		}
	}
}
