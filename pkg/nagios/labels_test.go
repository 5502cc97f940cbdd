package nagios

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLabels(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, c := range []struct{ names, want []string }{
		{nil, []string{}},
		{[]string{"mongo-4.backend", "DR_1"}, []string{"mongo-4_backend", "DR_1"}},
		{[]string{"https://a/b?c=d", "it's", "a b", "a|b"}, []string{"https___a_b_c_d", "it_s", "a_b", "a_b_2"}},
		{[]string{"", "", " "}, []string{"_", "__2", "__3"}},
		{[]string{"caf\u00e9", "\xff"}, []string{"caf_", "_"}},
		{[]string{"a", "a", "a"}, []string{"a", "a_2", "a_3"}},
		{[]string{"a", "a", "a_2"}, []string{"a", "a_3", "a_2"}},
		{[]string{"a_2", "a", "a", "a_2"}, []string{"a_2", "a", "a_3", "a_2_2"}},
		{[]string{long, long}, []string{long[:64], long[:62] + "_2"}},
		{[]string{long, long, long[:62] + "_2"}, []string{long[:64], long[:62] + "_3", long[:62] + "_2"}},
	} {
		if got := Labels(c.names); !slices.Equal(got, c.want) {
			t.Errorf("Labels(%q) = %q, want %q", c.names, got, c.want)
		}
	}
}

func TestLabelsOfManyEqualNames(t *testing.T) {
	const many = 20000
	start := time.Now()
	labels := Labels(make([]string, many))
	checkLabels(t, labels, maxName)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d equal names took %v: more than linear work", many, took)
	}
}

var labelForm = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func checkLabels(t *testing.T, labels []string, limit int) {
	t.Helper()
	seen := map[string]bool{}
	for _, label := range labels {
		if !labelForm.MatchString(label) || len(label) > limit {
			t.Fatalf("bad label %q", label)
		}
		if seen[label] {
			t.Fatalf("label %q occurs twice", label)
		}
		seen[label] = true
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("a,a,a_2,a_2,a_2_2,a_3")
	f.Add(strings.Repeat(strings.Repeat("x", 70)+",", 12))
	f.Add(",\x00,'=',\xff")
	f.Fuzz(func(t *testing.T, joined string) {
		names := strings.Split(joined, ",")
		labels := Labels(names)
		if len(labels) != len(names) {
			t.Fatalf("%d labels for %d names", len(labels), len(names))
		}
		checkLabels(t, labels, maxName)
		if !slices.Equal(labels, Labels(names)) || !slices.Equal(labels, Labels(labels)) {
			t.Fatalf("labels are not stable: %q", labels)
		}
	})
}
