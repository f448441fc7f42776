package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/registry"
)

// The documents that the tests compare with the code.
const (
	reference     = "../../docs/landmarkd.yaml"
	documentation = "../../docs/configuration.md"
)

// TestReferenceHasDefaults checks that the annotated reference configures the
// defaults.
func TestReferenceHasDefaults(t *testing.T) {
	got, err := Read(reference)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Services: map[string]registry.Policy{"epg": registry.DefaultPolicy}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the reference differs from the defaults (-default +reference):\n%s", diff)
	}
}

// TestReferenceHasEveryKey uncomments the annotated reference, and checks that it then
// has every key with its range, and is valid.
func TestReferenceHasEveryKey(t *testing.T) {
	src := readText(t, reference)
	on := regexp.MustCompile(`(?m)^( *)#([-a-z"])`).ReplaceAllString(src, "$1$2")
	file, err := parse("landmarkd.yaml", []byte(strings.Replace(on, "/etc/landmark/bfd.key", writeKeyFile(t), 1)))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, file)
	checkPeerings(t, file.Peerings)

	var got []string
	for _, m := range regexp.MustCompile(`(?m)^ +(?:- )?([a-z_]+):.*$`).FindAllStringSubmatch(on, -1) {
		if m[1] != "epg" {
			got = append(got, m[1])
		}
	}
	ofService := names(serviceKeys)
	ofProbe := slices.DeleteFunc(names(probeKeys), func(name string) bool { return name == "udp" || name == "unix" }) // the program is at one place
	n := len(ofService) - 3                                                                                           // host, probe and gate come last, each after the keys of the one before it
	want := slices.Concat(ofService[:n], names(landmarkKeys), ofService[n:n+1], names(hostKeys), ofService[n+1:n+2], ofProbe, names(stepKeys),
		ofService[n+2:], names(gateKeys), names(peeringKeys))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the keys differ (-code +reference):\n%s", diff)
	}
	for _, takes := range slices.Concat(ranges(serviceKeys), ranges(landmarkKeys), ranges(hostKeys), ranges(probeKeys), ranges(gateKeys), ranges(peeringKeys)) {
		// The reference has the range at the end of a sentence.
		words := strings.TrimPrefix(takes, "a duration from ")
		if words != takes && !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(src, "#", "")), " "), words+".") {
			t.Errorf("the reference does not have the range %q", words)
		}
	}
}

// TestDocumentationHasEveryKey compares the documentation's tables and sections with
// the keys.
func TestDocumentationHasEveryKey(t *testing.T) {
	ofService, ofLandmark, found := strings.Cut(readText(t, documentation), "\n## The keys of a landmark\n")
	if !found {
		t.Fatal("there is no section on the keys of a landmark")
	}
	_, ofService, _ = strings.Cut(ofService, "\n## The keys of a service\n")
	checkDocumented(t, ofService, serviceKeys)
	ofLandmark, ofHost, found := strings.Cut(ofLandmark, "\n## The keys of a landmark of the host\n")
	if !found {
		t.Fatal("there is no section on the keys of a landmark of the host")
	}
	ofHost, ofProbe, found := strings.Cut(ofHost, "\n## The keys of a probe\n")
	if !found {
		t.Fatal("there is no section on the keys of a probe")
	}
	ofProbe, ofStep, found := strings.Cut(ofProbe, "\n## The keys of a step of a probe\n")
	if !found {
		t.Fatal("there is no section on the keys of a step of a probe")
	}
	ofStep, ofGate, found := strings.Cut(ofStep, "\n## The keys of a gate\n")
	if !found {
		t.Fatal("there is no section on the keys of a gate")
	}
	ofGate, ofPeering, found := strings.Cut(ofGate, "\n## The keys of a BFD session\n")
	if !found {
		t.Fatal("there is no section on the keys of a BFD session")
	}
	checkDocumented(t, ofLandmark, landmarkKeys)
	checkDocumented(t, ofHost, hostKeys)
	checkDocumented(t, ofProbe, probeKeys)
	checkDocumented(t, ofStep, stepKeys)
	checkDocumented(t, ofGate, gateKeys)
	checkDocumented(t, ofPeering, peeringKeys)

	for _, row := range tableOf(ofService) {
		name, value := row[1], strings.Trim(row[3], "`")
		if "`"+value+"`" != row[3] {
			continue // text instead of a value
		}
		file, err := parse(name, []byte("services: {epg: {"+name+": "+value+"}}"))
		if err != nil {
			t.Errorf("the default of %s: %v", name, err)
		} else if diff := cmp.Diff(registry.DefaultPolicy, file.Services["epg"]); diff != "" {
			t.Errorf("the default of %s differs (-code +documentation):\n%s", name, diff)
		}
	}
}

// TestDocumentationExamples checks that the documentation's examples are valid, and that
// the documentation shows the error as it is.
func TestDocumentationExamples(t *testing.T) {
	text := readText(t, documentation)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```\n").FindAllStringSubmatch(text, -1)
	if len(examples) < 5 {
		t.Fatalf("there are only %d examples", len(examples))
	}
	for _, e := range examples {
		if _, err := parse("landmarkd.yaml", []byte(e[1])); err != nil {
			t.Errorf("an example: %v", err)
		}
	}
	example := examples[0][1]

	_, err := parse("landmarkd.yaml", []byte(strings.Replace(example, "within: 5s", "within: 5", 1)))
	if err == nil {
		t.Fatal("there is no error for a missing unit")
	}
	if shown := "    " + strings.ReplaceAll(err.Error(), "\n", "\n    ") + "\n"; !strings.Contains(text, shown) {
		t.Errorf("the documentation does not show this error:\n%s", shown)
	}
}

// checkDocumented checks that a part of the documentation has one table row and one
// section for each key, in their order.
func checkDocumented[T any](t *testing.T, text string, keys []key[T]) {
	t.Helper()
	var want, got, sections []string
	for _, k := range keys {
		want = append(want, k.name+": "+k.takes)
	}
	for _, row := range tableOf(text) {
		got = append(got, row[1]+": "+row[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the keys of the table differ (-code +documentation):\n%s", diff)
	}
	for _, m := range regexp.MustCompile("(?m)^### `([^`]+)`$").FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	if diff := cmp.Diff(names(keys), sections); diff != "" {
		t.Errorf("the keys of the sections differ (-code +documentation):\n%s", diff)
	}
}

// tableOf returns the rows that start with a key, as key, value and the rest.
func tableOf(text string) [][]string {
	return regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\| (.*) \\|$").FindAllStringSubmatch(text, -1)
}

func names[T any](keys []key[T]) []string {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	return names
}

func ranges[T any](keys []key[T]) []string {
	var ranges []string
	for _, k := range keys {
		ranges = append(ranges, k.takes)
	}
	return ranges
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
