package show

import (
	"math"
	"strings"
)

// Bar returns a bar of a width in characters for what is used now, what comes on top,
// and where the line is, each as a part of the whole: solid, shaded, and a mark. What is
// beyond the whole is cut.
func Bar(width int, used, coming, line float64) string {
	cells := func(part float64) int { return int(math.Round(max(0, min(1, part)) * float64(width))) }
	solid := cells(used)
	shaded := max(solid, cells(used+coming))
	mark := -1
	if line > 0 {
		mark = min(width-1, cells(line))
	}
	var b strings.Builder
	for i := range width {
		switch {
		case i == mark && i < solid:
			b.WriteRune('╋')
		case i == mark:
			b.WriteRune('│')
		case i < solid:
			b.WriteRune('█')
		case i < shaded:
			b.WriteRune('▒')
		default:
			b.WriteRune('·')
		}
	}
	return b.String()
}
