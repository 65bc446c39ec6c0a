package config

import (
	"errors"
	"math"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	// maxQuantityText bounds the length of a quantity, and maxExponentDigits that of
	// its decimal exponent. A quantity of a few letters, such as 1e-2000000000, can
	// take resource.ParseQuantity minutes and all memory.
	maxQuantityText   = 40
	maxExponentDigits = 2
)

// parseQuantity is resource.ParseQuantity for text of any origin. What does not fit
// into 64 bits is refused: it would read as 0.
func parseQuantity(text string) (resource.Quantity, error) {
	if len(text) > maxQuantityText {
		return resource.Quantity{}, errors.New("too long")
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(strings.TrimLeft(text[i+1:], "+-0")) > maxExponentDigits {
		return resource.Quantity{}, errors.New("its exponent is too large")
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return resource.Quantity{}, err
	}
	if math.Abs(quantity.AsApproximateFloat64()) >= math.MaxInt64 {
		return resource.Quantity{}, errors.New("too large")
	}
	return quantity, nil
}
