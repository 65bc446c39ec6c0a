package report

import (
	"fmt"
	"html/template"
	"strings"

	"gonum.org/v1/plot/vg"
)

// The colours of the policies, in their order, on a light and on a dark
// background. They differ in lightness as well as in hue, so that they can be
// told apart with any colour vision; lines differ in their dashes too.
var policyColors = [...]struct{ light, dark string }{
	{"#0b66c3", "#5aa9ff"}, // blue
	{"#c24a00", "#ff9a4d"}, // vermilion
	{"#00795c", "#33c49a"}, // green
	{"#a03a82", "#ee8fcb"}, // purple
	{"#7a6200", "#d9bc3c"}, // ochre
	{"#0c7c93", "#5fd0e6"}, // cyan
	{"#5b5b66", "#b9b9c6"}, // grey
	{"#6a4cc4", "#b39dff"}, // violet
}

// dashes are the lengths of strokes and gaps of a policy's lines; none is a
// full line.
var dashes = [...][]vg.Length{nil, {7, 3}, {2, 2}, {9, 3, 2, 3}, {4, 4}, {12, 3}, {2, 4}, {6, 2, 2, 2, 2, 2}}

// ink is a colour by its role. gonum/plot draws it as a colour that nothing else
// has; in the SVG that is replaced by a colour of the page's style sheet, which
// knows whether the background is light or dark.
type ink uint8

const (
	inkText ink = 0 // axes and their texts
	inkGrid ink = 1
	inkLine ink = 2 // a line to compare with, such as 100 %
	// From here on a policy's line, and the inner and outer band around it.
	inkPolicy ink = 10
	inkInner  ink = 50
	inkOuter  ink = 90

	inkPolicies = len(policyColors)
)

// RGBA returns the colour as vgsvg takes it: 16 bits for each part. The parts
// lie between two values of 8 bits, so that rounding down gives k.
func (k ink) RGBA() (r, g, b, a uint32) {
	const marker, between = 0xFE*0x101 + 0x80, 0x80
	return marker, uint32(k)*0x101 + between, marker, 0xFFFF
}

// inks replaces inks by the colours of the style sheet.
func inks() *strings.Replacer {
	pairs := []string{
		inkText.hex(), "currentColor",
		inkGrid.hex(), "var(--grid)",
		inkLine.hex(), "var(--line)",
	}
	for i := range inkPolicies {
		color := string(policyColor(i))
		pairs = append(pairs,
			(inkPolicy + ink(i)).hex(), color,
			(inkInner + ink(i)).hex(), color+";fill-opacity:.45",
			(inkOuter + ink(i)).hex(), color+";fill-opacity:.2")
	}
	return strings.NewReplacer(pairs...)
}

func (k ink) hex() string {
	return fmt.Sprintf("#FE%02XFE", uint8(k))
}

// policyColor returns the variable of the style sheet with the i-th policy's
// colour.
func policyColor(i int) template.CSS {
	return template.CSS(fmt.Sprintf("var(--policy%d)", i%inkPolicies))
}

// dashArray returns the i-th policy's dashes as the attribute stroke-dasharray.
func dashArray(i int) string {
	var parts []string
	for _, length := range dashes[i%len(dashes)] {
		parts = append(parts, fmt.Sprint(length.Points()))
	}
	return strings.Join(parts, " ")
}

// colorVariables returns the style sheet's variables of policyColor.
func colorVariables() template.CSS {
	var light, dark strings.Builder
	for i, color := range policyColors {
		fmt.Fprintf(&light, "--policy%d:%s;", i, color.light)
		fmt.Fprintf(&dark, "--policy%d:%s;", i, color.dark)
	}
	return template.CSS(":root{" + light.String() + "}\n@media (prefers-color-scheme:dark){:root{" + dark.String() + "}}")
}
