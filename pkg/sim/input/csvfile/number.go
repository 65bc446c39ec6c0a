package csvfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Number reads a decimal number from least to most, such as 12, 12.5 or 1.25e1. Errors
// say what would be right; the caller says where and what the text is.
func Number(text string, least, most float64) (float64, error) {
	value, ok := parse(text)
	if !ok || value < least || value > most {
		return 0, fmt.Errorf("must be a number from %s to %s%s", format(least), format(most), hint(text))
	}
	return value, nil
}

// Whole reads a whole number from least to most, both within 2^53 of 0, such as 64000,
// 64000.0 or 6.4e4. Errors are as those of Number.
func Whole(text string, least, most int64) (int64, error) {
	value, ok := parse(text)
	if !ok || value != math.Trunc(value) || value < float64(least) || value > float64(most) {
		return 0, fmt.Errorf("must be a whole number from %d to %d%s", least, most, hint(text))
	}
	return int64(value), nil
}

// parse reads a decimal number. Numbers that are too large or too near to 0 to be told
// from it are none.
func parse(text string) (float64, bool) {
	if strings.Trim(text, "0123456789.+-eE") != "" { // else Inf and 0x1p4 are numbers
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	digits, _, _ := strings.Cut(strings.ToLower(text), "e")
	if value == 0 && strings.ContainsAny(digits, "123456789") {
		return 0, false
	}
	return value, true
}

// IsNumeric reports whether the text is a number as people write them, with separators
// or a percent sign, whether or not Number reads it.
func IsNumeric(text string) bool {
	_, ok := parse(strings.NewReplacer(",", "", "_", "", "'", "", " ", "", "\u00a0", "", "\u202f", "", "%", "").Replace(text))
	return ok || strings.EqualFold(text, "NaN")
}

// hint helps with numbers that are written as people write them.
func hint(text string) string {
	if _, ok := parse(text); !ok && IsNumeric(text) && !strings.EqualFold(text, "NaN") {
		return ", of digits and perhaps a decimal point only"
	}
	return ""
}

func format(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }
