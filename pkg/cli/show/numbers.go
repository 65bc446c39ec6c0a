package show

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Cores writes an amount of CPU.
func Cores(cores float64) string {
	if math.Abs(cores) < 10 {
		return fmt.Sprintf("%.2f", cores)
	}
	return fmt.Sprintf("%.1f", cores)
}

// Bytes writes an amount of memory.
func Bytes(bytes float64) string {
	const ki = 1024
	units := []string{"", "Ki", "Mi", "Gi", "Ti", "Pi"}
	i := 0
	for math.Abs(bytes) >= ki && i < len(units)-1 {
		bytes /= ki
		i++
	}
	if i == 0 || math.Abs(bytes) >= 100 {
		return fmt.Sprintf("%.0f%s", bytes, units[i])
	}
	return fmt.Sprintf("%.1f%s", bytes, units[i])
}

// Percent writes a part of a whole, "-" if that is nothing.
func Percent(part, whole float64) string {
	if whole <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*part/whole)
}

// Seconds writes a time span, "-" if it is not known.
func Seconds(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return duration.HumanDuration(time.Duration(*seconds * float64(time.Second)))
}

// Count writes a number of devices, of which parts may count.
func Count(n float64) string {
	if n == math.Trunc(n) {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.1f", n)
}
