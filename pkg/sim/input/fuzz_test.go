package input

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/unicode"
	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// The tests of this file say of any input: it is read or refused with its name, and
// what is read of it does not depend on how its text is stored. The seeds are testdata.

const fuzzed = "fuzzed.csv"

func FuzzNodes(f *testing.F) {
	fuzz(f, "nodes", func(t *testing.T, file *textfile.File, warnings *warning.List) error {
		nodes, err := nodesIn(file, warnings)
		for _, node := range nodes {
			if fault := faultOfNode(node); fault != "" || node.Name == "" {
				t.Errorf("node %q: %s", node.Name, fault)
			}
		}
		return err
	})
}

func FuzzPods(f *testing.F) {
	nodes := []*v1.Node{newNode("large", 64000, 256<<30, 8, "")}
	fuzz(f, "pods", func(t *testing.T, file *textfile.File, warnings *warning.List) error {
		pods, err := podsIn(file, nodes, warnings)
		if err != nil {
			return err
		}
		for _, s := range pods.shapes {
			if s.cpu < 0 || s.memory < 0 || s.devices < 0 || !s.fitsAny(nodes) {
				t.Errorf("a pod of %d millicores, %d bytes and %d devices", s.cpu, s.memory, s.devices)
			}
		}
		return nil
	})
}

func FuzzSeries(f *testing.F) {
	model := Calm()
	fuzz(f, "series", func(t *testing.T, file *textfile.File, warnings *warning.List) error {
		series, err := seriesIn(file, warnings)
		if err != nil {
			return err
		}
		scaled := model.scaled(series)
		if len(scaled) == 0 {
			t.Error("nothing is left of the series")
		}
		for _, values := range scaled {
			for _, v := range values {
				if !(v >= 0 && v <= model.SeriesMax) {
					t.Errorf("a value is %v", v)
				}
			}
		}
		return nil
	})
}

func FuzzSnapshot(f *testing.F) {
	const node, reading = `{"kind":"Node","metadata":{"name":"n"},"status":{"allocatable":{"cpu":4,"memory":"8Gi"}}}`, `{"kind":"NodeMetrics","metadata":{"name":"n"},"usage":{"cpu":"1","memory":"1Gi"}}`
	for _, pod := range []string{
		`{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}]}}`,
		`{"kind":"Pod","metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"resources":{"requests":{"cpu":"1","memory":"1"}}}],"overhead":{"cpu":"1"}}}`,
		`{"kind":"Pod","metadata":{"name":"p","uid":"u","ownerReferences":[{"kind":"ReplicaSet","name":"r","controller":true}]},"spec":{"nodeName":"n","containers":[{"name":"c"}]}},{"kind":"PodMetrics","metadata":{"name":"p"},"containers":[{"name":"c","usage":{"cpu":"2","memory":"2Gi"}}]}`,
	} {
		f.Add("[" + node + "," + reading + "," + pod + "]")
		f.Add("- " + node + "\n- " + reading + "\n- " + strings.ReplaceAll(pod, "}},{", "}}\n- {"))
	}
	model := Calm()
	model.FillTime, model.ChurnTime = time.Minute, time.Minute
	fuzz(f, "clusters", func(t *testing.T, file *textfile.File, warnings *warning.List) error {
		s, err := newSnapshot(file.Name, []*textfile.File{file}, warnings)
		if err != nil {
			return err
		}
		checkSnapshot(t, s, &model)
		return nil
	})
}

// checkSnapshot checks that all use is an amount and that what the snapshot makes can be
// simulated.
func checkSnapshot(t *testing.T, s *snapshot, model *Model) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	for _, x := range s.members(model, random) {
		for _, amount := range []float64{x.use.cpu, x.use.memory} {
			if !(amount >= 0 && amount < math.MaxInt64) {
				t.Errorf("pod %s uses %v", x.pod.Name, x.use)
			}
		}
	}
	scenario := s.scenario("fuzzed", model, [][]float64{{1}}, random, 1)
	if _, err := sim.Run(t.Context(), scenario, nil, sim.Options{}); err != nil {
		t.Error(err)
	}
}

// fuzz runs read over the texts of the files in a directory of testdata, and what is
// like them. Package textfile fuzzes how text is stored.
func fuzz(f *testing.F, dir string, read func(*testing.T, *textfile.File, *warning.List) error) {
	f.Helper()
	if err := filepath.WalkDir(filepath.Join("testdata", dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if file, err := textfile.Read(path); err == nil {
			f.Add(compact(file.Text))
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := textfile.Decode(fuzzed, []byte(text))
		if err != nil {
			checkNamed(t, err)
			return
		}
		said := func(file *textfile.File) string {
			var warnings warning.List
			if err := read(t, file, &warnings); err != nil {
				checkNamed(t, err)
				return err.Error()
			}
			return strings.Join(warnings.Lines(), "\n")
		}
		again, err := textfile.Decode(fuzzed, stored(t, file.Text))
		if err != nil {
			t.Fatalf("as UTF-16 in gzip: %v", err)
		}
		if plain, other := said(file), said(again); plain != other {
			t.Errorf("it is said %q, and %q of the same as UTF-16 in gzip", plain, other)
		}
	})
}

// compact returns JSON without white space, which takes the longest to mutate.
func compact(text string) string {
	var short bytes.Buffer
	if json.Compact(&short, []byte(text)) != nil {
		return text
	}
	return short.String()
}

func checkNamed(t *testing.T, err error) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), fuzzed) {
		t.Errorf("the error does not begin with the file: %v", err)
	}
}

// stored returns the text as Windows stores it, compressed.
func stored(t *testing.T, text string) []byte {
	t.Helper()
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(text, "\n", "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write([]byte(wide)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
