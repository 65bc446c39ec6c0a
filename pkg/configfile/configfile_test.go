package configfile

import "testing"

func TestDocumentsOfAFile(t *testing.T) {
	for content, valid := range map[string]bool{
		"":                                    true,
		"a: 1\n":                              true,
		"---\na: 1\n":                         true,
		"# ours\n---\na: 1\n---\n# no more\n": true,
		"a: 1\n---\n---\n":                    true,
		"a: |\n  ---\n  b: 2\n":               true,
		"a: 1\n---\nb: 2\n":                   false,
		"---\na: 1\n---\nb: [\n":              false, // whatever is there
		"a: 1\r\n---\r\nb: 2\r\n":             false,
	} {
		if err := checkDocuments([]byte(content)); (err == nil) != valid {
			t.Errorf("%q: %v, want that it is valid: %t", content, err, valid)
		}
	}
}
