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

// The documents that are held to the code here.
const (
	reference     = "../../docs/landmarkd.yaml"
	documentation = "../../docs/configuration.md"
)

// TestReferenceIsTheDefault holds that the annotated reference says what holds
// without it.
func TestReferenceIsTheDefault(t *testing.T) {
	got, err := Read(reference)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]registry.Policy{"epg": registry.DefaultPolicy}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it is not the default (-default +reference):\n%s", diff)
	}
}

// TestReferenceIsWhole holds that the annotated reference has every key once
// its lines are all on, each with its range, and that it can then be read.
func TestReferenceIsWhole(t *testing.T) {
	src := readText(t, reference)
	on := regexp.MustCompile(`(?m)^( *)#([a-z"])`).ReplaceAllString(src, "$1$2")
	services, err := parse("landmarkd.yaml", []byte(on))
	if err != nil {
		t.Fatal(err)
	}
	checkPolicies(t, services)

	var got []string
	for _, m := range regexp.MustCompile(`(?m)^ +([a-z_]+):.*$`).FindAllStringSubmatch(on, -1) {
		if m[1] != "epg" {
			got = append(got, m[1])
		}
	}
	ofService := names(serviceKeys)
	last := len(ofService) - 1 // host, which stands behind the keys of the one before it
	if diff := cmp.Diff(slices.Concat(ofService[:last], names(landmarkKeys), ofService[last:], names(hostKeys)), got); diff != "" {
		t.Errorf("it has not the keys (-code +reference):\n%s", diff)
	}
	for _, takes := range slices.Concat(ranges(serviceKeys), ranges(landmarkKeys), ranges(hostKeys)) {
		// As the reference words it, in sentences of their own.
		words := strings.TrimPrefix(takes, "a duration from ")
		if words != takes && !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(src, "#", "")), " "), words+".") {
			t.Errorf("it does not say %q", words)
		}
	}
}

// TestDocumentation holds the documentation's tables and sections to the keys
// that there are.
func TestDocumentation(t *testing.T) {
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
	checkDocumented(t, ofLandmark, landmarkKeys)
	checkDocumented(t, ofHost, hostKeys)

	for _, row := range tableOf(ofService) {
		name, value := row[1], strings.Trim(row[3], "`")
		if "`"+value+"`" != row[3] {
			continue // words: there is no value that stands for it
		}
		services, err := parse(name, []byte("services: {epg: {"+name+": "+value+"}}"))
		if err != nil {
			t.Errorf("the default of %s: %v", name, err)
		} else if diff := cmp.Diff(registry.DefaultPolicy, services["epg"]); diff != "" {
			t.Errorf("the default of %s is another (-code +documentation):\n%s", name, diff)
		}
	}
}

// TestDocumentationExamples holds that the documentation's example is accepted,
// and the error that it shows is the one that is told.
func TestDocumentationExamples(t *testing.T) {
	text := readText(t, documentation)
	_, rest, _ := strings.Cut(text, "```yaml\n")
	example, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("there is no example")
	}
	if _, err := parse("landmarkd.yaml", []byte(example)); err != nil {
		t.Errorf("the example: %v", err)
	}

	_, err := parse("landmarkd.yaml", []byte(strings.Replace(example, "within: 5s", "within: 5", 1)))
	if err == nil {
		t.Fatal("there is no error where the unit is missing")
	}
	if shown := "    " + strings.ReplaceAll(err.Error(), "\n", "\n    ") + "\n"; !strings.Contains(text, shown) {
		t.Errorf("it does not show the error as it is:\n%s", shown)
	}
}

// checkDocumented holds a part of the documentation to the keys: one row of the
// table and one section for each, in their order.
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
		t.Errorf("the table is of other keys (-code +documentation):\n%s", diff)
	}
	for _, m := range regexp.MustCompile("(?m)^### `([^`]+)`$").FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	if diff := cmp.Diff(names(keys), sections); diff != "" {
		t.Errorf("the sections are of other keys (-code +documentation):\n%s", diff)
	}
}

// tableOf returns the rows that begin with a key: key, value, and the rest.
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
