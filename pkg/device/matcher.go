package device

import (
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
)

// Matcher tells which extended resources and device classes the configuration has
// for devices. A class goes by the name of its resource. It is immutable. The zero
// value accepts none.
type Matcher struct {
	included, excluded []pattern
	all                bool // whether everything is included, and nothing excluded
}

// pattern accepts a resource name if both of its sides are accepted.
type pattern struct {
	domain, name side
}

// NewMatcher returns a Matcher that accepts what one of the patterns accepts and
// no exclusion does. A pattern is "*", which stands for every extended resource
// and device class, or DOMAIN/NAME, either side of which may hold the wildcards of
// path.Match. An exclusion is a pattern with "!" before it; their order does not
// matter.
func NewMatcher(patterns []string) (*Matcher, error) {
	m := &Matcher{}
	for _, text := range patterns {
		text, excludes := strings.CutPrefix(text, "!")
		p, err := parsePattern(text)
		switch {
		case err != nil:
			return nil, err
		case excludes:
			m.excluded = append(m.excluded, p)
		default:
			m.included = append(m.included, p)
		}
	}
	m.all = len(m.excluded) == 0 && slices.ContainsFunc(m.included, func(p pattern) bool { return p.isAny() })
	return m, nil
}

func parsePattern(text string) (pattern, error) {
	if text == "*" {
		return pattern{domain: side{match: anyText}, name: side{match: anyText}}, nil
	}
	domain, name, found := strings.Cut(text, "/")
	if !found || domain == "" || name == "" || strings.Contains(name, "/") {
		return pattern{}, badPattern(text)
	}
	var p pattern
	var err error
	if p.domain, err = parseSide(domain); err != nil {
		return pattern{}, badPattern(text)
	}
	if p.name, err = parseSide(name); err != nil {
		return pattern{}, badPattern(text)
	}
	return p, nil
}

func badPattern(text string) error {
	return fmt.Errorf(`device resource pattern %q: must be "*" or DOMAIN/NAME, either with wildcards, such as "nvidia.com/gpu" or "nvidia.com/*"`, text)
}

// Matches reports whether the resource is a device by the configuration.
func (m *Matcher) Matches(resource v1.ResourceName) bool {
	if m.all { // by default: then the name is not taken apart for each class of each node
		return isClass(resource) || isExtended(resource)
	}
	listing := m.listing(resource)
	return listing == listed || listing == named
}

// listing is what the configuration says of a resource.
type listing int

const (
	unlisted listing = iota
	excluded         // by an exclusion
	listed           // by "*" alone
	named            // by another pattern
)

// listing returns what the configuration says of the resource. What is no extended
// resource and no device class is unlisted.
func (m *Matcher) listing(resource v1.ResourceName) listing {
	if !isExtended(resource) && !isClass(resource) {
		return unlisted
	}
	domain, name, _ := strings.Cut(string(resource), "/")
	if anyAccepts(m.excluded, domain, name) {
		return excluded
	}
	best := unlisted
	for i := range m.included {
		switch p := &m.included[i]; {
		case !p.accepts(domain, name):
		case p.isAny():
			best = listed
		default:
			return named
		}
	}
	return best
}

func anyAccepts(patterns []pattern, domain, name string) bool {
	for i := range patterns {
		if patterns[i].accepts(domain, name) {
			return true
		}
	}
	return false
}

func (p *pattern) accepts(domain, name string) bool {
	return p.domain.accepts(domain) && p.name.accepts(name)
}

// isAny reports whether the pattern accepts everything.
func (p *pattern) isAny() bool { return p.domain.match == anyText && p.name.match == anyText }

// isExtended reports whether a resource of a pod or a node is an extended one.
// For names that the API server lets pass it says what
// v1helper.IsExtendedResourceName says. That one checks the name's syntax as
// well, and allocates for it, which is too much for each resource of each node.
func isExtended(resource v1.ResourceName) bool {
	return !v1helper.IsNativeResource(resource) && !strings.HasPrefix(string(resource), v1.DefaultResourceRequestsPrefix)
}

// isClass reports whether the resource is that of a device class.
func isClass(resource v1.ResourceName) bool {
	return strings.HasPrefix(string(resource), resourceapi.ResourceDeviceClassPrefix)
}

// side is one side of a pattern. Most are a plain text or a lone "*", and
// those are spared path.Match, which costs about ten times as much.
type side struct {
	match matchKind
	text  string
}

type matchKind int

const (
	sameText matchKind = iota
	anyText
	wildcards
)

func parseSide(text string) (side, error) {
	switch {
	case text == "*":
		return side{match: anyText}, nil
	case !strings.ContainsAny(text, `*?[\`):
		return side{match: sameText, text: text}, nil
	}
	_, err := path.Match(text, "")
	return side{match: wildcards, text: text}, err
}

func (s *side) accepts(text string) bool {
	switch s.match {
	case anyText:
		return true
	case sameText:
		return s.text == text
	case wildcards:
		ok, _ := path.Match(s.text, text) // parseSide has seen that the pattern is well-formed
		return ok
	}
	return false
}
