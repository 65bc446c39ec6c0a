package attest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// InTotoMediaType is that of a statement.
const InTotoMediaType = "application/vnd.in-toto+json"

// PredicateType is that of provenance.
const PredicateType = "https://slsa.dev/provenance/v1"

// What the build is, and which parameters it has, is told there.
const buildType = "/blob/main/docs/install.md#provenance"

// A Subject is what provenance is of.
type Subject struct {
	Name   string
	SHA256 string // in hexadecimal
}

// Provenance returns the statement, as JSON, that the subjects were built from the
// release's commit with the parameters, by the Go that built the programs. It is not signed.
func (r Release) Provenance(goVersion string, parameters map[string]any, subjects ...Subject) ([]byte, error) {
	predicate, err := r.predicate(goVersion, parameters)
	if err != nil {
		return nil, err
	}
	statement := &intoto.Statement{Type: intoto.StatementTypeUri, PredicateType: PredicateType, Predicate: predicate}
	for _, subject := range subjects {
		statement.Subject = append(statement.Subject, &intoto.ResourceDescriptor{Name: subject.Name, Digest: map[string]string{"sha256": subject.SHA256}})
	}
	if err := statement.Validate(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	text, err := protojson.Marshal(statement)
	if err != nil {
		return nil, err
	}
	// protojson puts in spaces at random, so that nobody relies on its form.
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", " "); err != nil {
		return nil, err
	}
	return append(out.Bytes(), '\n'), nil
}

func (r Release) predicate(goVersion string, parameters map[string]any) (*structpb.Struct, error) {
	external, err := structpb.NewStruct(parameters)
	if err != nil {
		return nil, fmt.Errorf("parameters of the build: %w", err)
	}
	source := &intoto.ResourceDescriptor{Uri: "git+" + r.Source}
	if commit, ok := r.commit(); ok {
		source.Digest = map[string]string{"gitCommit": commit}
	}
	provenance := &slsa.Provenance{
		BuildDefinition: &slsa.BuildDefinition{
			BuildType:            r.Source + buildType,
			ExternalParameters:   external,
			ResolvedDependencies: []*intoto.ResourceDescriptor{source},
		},
		// Neither who built it nor when: those who build the same get the same.
		RunDetails: &slsa.RunDetails{Builder: &slsa.Builder{
			Id:      r.Source + "/tree/main/release",
			Version: map[string]string{"go": goVersion, "plimsoll-release": runtime.Version()},
		}},
	}
	if err := provenance.Validate(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	text, err := protojson.Marshal(provenance)
	if err != nil {
		return nil, err
	}
	predicate := &structpb.Struct{}
	return predicate, protojson.Unmarshal(text, predicate)
}

var wholeCommit = regexp.MustCompile("^[0-9a-f]{40}$")

// commit returns the commit that the release is of, unless it is of none.
func (r Release) commit() (string, bool) {
	return r.Revision, wholeCommit.MatchString(r.Revision)
}
