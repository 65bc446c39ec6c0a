package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

// MarshalJSON writes NaN as null, and no more digits than were measured.
func (v Values) MarshalJSON() ([]byte, error) {
	text := []byte{'['}
	for i, value := range v {
		if i > 0 {
			text = append(text, ',')
		}
		if math.IsNaN(value) {
			text = append(text, "null"...)
		} else {
			text = strconv.AppendFloat(text, math.Round(value*1e4)/1e4, 'f', -1, 64)
		}
	}
	return append(text, ']'), nil
}

// UnmarshalJSON reads null as NaN.
func (v *Values) UnmarshalJSON(text []byte) error {
	var values []*float64
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	*v = make(Values, len(values))
	for i, value := range values {
		if (*v)[i] = math.NaN(); value != nil {
			(*v)[i] = *value
		}
	}
	return nil
}

// Write writes the recording, compressed.
func (r *Recording) Write(w io.Writer) error {
	zip := gzip.NewWriter(w)
	encoder := json.NewEncoder(zip)
	r.Format = Format
	if err := r.validate(); err != nil {
		return err
	}
	if err := encoder.Encode(&r.Header); err != nil {
		return err
	}
	for i := range r.Nodes {
		if err := encoder.Encode(&r.Nodes[i]); err != nil {
			return err
		}
	}
	for i := range r.Pods {
		if err := encoder.Encode(&r.Pods[i]); err != nil {
			return err
		}
	}
	return zip.Close()
}

// Open reads the recording in a file. Errors name the file and the line.
func Open(name string) (*Recording, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: must be compressed by gzip, as kubectl plimsoll snapshot writes it: %w", name, err)
	}
	return Read(name, zip)
}

// maxLine bounds a line, in bytes: a pod with two values for each step.
const maxLine = 64 << 20

// Read reads a recording that is not compressed. Name is what errors call it.
func Read(name string, from io.Reader) (*Recording, error) {
	r := &Recording{}
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		var err error
		switch {
		case len(line) == 0 && number > 1:
			continue
		case number == 1:
			if err = decode(line, &r.Header); err == nil {
				err = r.validate()
			}
		default:
			err = r.add(line)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w; make the snapshot anew", name, number, err)
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, fmt.Errorf("%s:%d: it cannot be read further: %w; make the snapshot anew", name, number+1, err)
	case number == 0:
		return nil, fmt.Errorf("%s: is empty: make the snapshot anew", name)
	}
	return r, nil
}

// add takes the node or the pod of a line.
func (r *Recording) add(line []byte) error {
	var kind struct {
		Node *string `json:"node"`
		Pod  *string `json:"pod"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	switch {
	case kind.Node != nil && kind.Pod == nil:
		var node Node
		if err := decode(line, &node); err != nil {
			return err
		}
		r.Nodes = append(r.Nodes, node)
		return node.validate(r.Steps())
	case kind.Pod != nil && kind.Node == nil:
		var pod Pod
		if err := decode(line, &pod); err != nil {
			return err
		}
		r.Pods = append(r.Pods, pod)
		return pod.validate(r.Steps())
	}
	return errors.New("must have a node or a pod")
}

func (n *Node) validate(steps int) error {
	if n.Name == "" {
		return errors.New("node is empty: must be a name")
	}
	return n.Use.validate(steps)
}

func (p *Pod) validate(steps int) error {
	if p.Namespace == "" || p.Name == "" {
		return fmt.Errorf("namespace is %q and pod is %q: neither may be empty", p.Namespace, p.Name)
	}
	return p.Use.validate(steps)
}

// decode reads one JSON object, all of whose fields must be known.
func decode(line []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one object on the line")
	}
	return nil
}
