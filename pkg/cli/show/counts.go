package show

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Counts writes how many there are of what, in the order of the names: "2 a, 1 b".
func Counts[N int | int64](of map[string]N) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		texts = append(texts, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(texts, ", ")
}
