package config

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
)

func TestQuantities(t *testing.T) {
	for text, valid := range map[string]bool{
		"1": true, "250m": true, "1Gi": true, "0": true, "-0": true, "-5": true, "9E": true, "7Ei": true, "1e3": true, "1E3": true, "5e-3": true,
		"1e+18": true, "1e-0000000000000003": true, "0.000000001": true, "1e-30": true, "9223372036854774000": true,
		"": false, "lots": false, "4GB": false, "1 Gi": false, " 1": false, "1,5": false, "0x10": false, "1e": false, "1e3Gi": false,
		"8Ei": false, "10E": false, "9223372036854775807": false, "-10E": false, "99999999999999999999999999E": false, "1e19": false, "1e99": false,
		"1e100": false, "1e1000000": false, "1e-1000000": false, "1e2147483648": false, "1e-2147483648": false, "1e-9999999999999999999999": false,
		"00000000000000000000000000000000000000001": false,
	} {
		got, err := parseQuantity(text)
		if (err == nil) != valid {
			t.Errorf("%q: %v, want that it is valid: %t", text, err, valid)
		}
		if err == nil && !got.Equal(resource.MustParse(text)) {
			t.Errorf("%q: %v", text, got.String())
		}
	}
}
