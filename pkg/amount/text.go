package amount

import (
	"fmt"
	"math"
)

// Text writes an amount for people, with its unit: 6.80 cores, 12.5Gi.
func (r Resource) Text(amount int64) string { return r.text(amount, math.Round) }

// TextUp is Text of what must not be too little: rounded up.
func (r Resource) TextUp(amount int64) string { return r.text(amount, math.Ceil) }

func (r Resource) text(amount int64, round func(float64) float64) string {
	if r == CPU {
		return cores(r.InUnits(amount), round) + " cores"
	}
	return bytes(r.InUnits(amount), round)
}

// Cores writes an amount of CPU, in cores, without the unit.
func Cores(amount float64) string { return cores(amount, math.Round) }

// Bytes writes an amount of memory, in bytes, with a binary unit.
func Bytes(amount float64) string { return bytes(amount, math.Round) }

func cores(amount float64, round func(float64) float64) string {
	if math.Abs(amount) < 10 {
		return rounded(amount, 2, round)
	}
	return rounded(amount, 1, round)
}

func bytes(amount float64, round func(float64) float64) string {
	const ki = 1024
	units := []string{"", "Ki", "Mi", "Gi", "Ti", "Pi"}
	i := 0
	for math.Abs(amount) >= ki && i < len(units)-1 {
		amount /= ki
		i++
	}
	decimals := 1
	if i == 0 || math.Abs(amount) >= 100 {
		decimals = 0
	}
	return rounded(amount, decimals, round) + units[i]
}

// rounded writes a number with so many decimals.
func rounded(number float64, decimals int, round func(float64) float64) string {
	scale := math.Pow10(decimals)
	return fmt.Sprintf("%.*f", decimals, round(number*scale)/scale)
}
