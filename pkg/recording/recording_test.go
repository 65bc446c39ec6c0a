package recording

import (
	"bytes"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func at(minute int) *time.Time {
	return new(time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC))
}

func example() *Recording {
	r := &Recording{Header: Header{Format: Format, From: *at(0), To: *at(10), StepSeconds: 60, Notes: []string{"a note"}}}
	use := Use{CPU: Series{First: 2, Values: Values{1.5, math.NaN(), 0}}, Memory: Series{Values: Values{1 << 40}}}
	r.Nodes = []Node{{Name: "n", Use: use}}
	r.Pods = []Pod{{
		Namespace: "d", Name: "p", UID: "u", Node: "n", Owner: &Owner{Kind: "ReplicaSet", Name: "s"}, Requests: map[string]string{"cpu": "1"},
		Priority: new(int32(7)), Created: at(1), Scheduled: at(2), Started: at(2), Ended: at(5), Completed: true, Use: use,
	}, {Namespace: "d", Name: "q"}}
	return r
}

// text is the recording as it is written, without NaN, which differs from itself.
func text(t *testing.T, r *Recording) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(zip); err != nil {
		t.Fatal(err)
	}
	return plain.String()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	want := text(t, example())
	read, err := Read("f", strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, read); got != want {
		t.Errorf("read and written again it is\n%s\nwant\n%s", got, want)
	}
	if !strings.Contains(want, `"cpu":{"first":2,"values":[1.5,null,0]}`) || read.Pods[1].Requests != nil {
		t.Errorf("what is not known is not null: %s", want)
	}
	if !reflect.DeepEqual(read.Pods[0].Started, at(2)) || read.Steps() != 10 {
		t.Errorf("read %+v", read)
	}
}

func TestSeriesKeepGapsAsGaps(t *testing.T) {
	var s Series
	s.Set(3, 1)
	s.Set(5, 2)
	for step, want := range map[int]float64{2: math.NaN(), 3: 1, 4: math.NaN(), 5: 2, 6: math.NaN(), -1: math.NaN()} {
		if got := s.At(step); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("step %d is %g, want %g", step, got, want)
		}
	}
	s.Set(1, 3) // of another series of the same pod
	s.Set(5, 9)
	if s.At(1) != 3 || !math.IsNaN(s.At(2)) || s.At(3) != 1 || s.At(5) != 2 || s.Known() != 3 {
		t.Errorf("the series is %+v", s)
	}
}

func TestBrokenRecordingsAreRefusedWithTheLine(t *testing.T) {
	good := strings.Split(strings.TrimSpace(text(t, example())), "\n")
	header := good[0] + "\n"
	for input, want := range map[string]string{
		"":      "f: is empty",
		"{":     "f:1: ",
		"{}":    `f:1: format is "": must be "plimsoll.io/recording/v1"`,
		good[1]: `f:1: json: unknown field "node"`,
		`[1]`:   "f:1: ",
		strings.Replace(header, `"stepSeconds":60`, `"stepSeconds":0`, 1):  "f:1: stepSeconds is 0: must be from 1 to 86400",
		strings.Replace(header, `"stepSeconds":60`, `"stepSeconds":7`, 1):  "is no whole number of steps of 7s",
		strings.Replace(header, "03:10", "03:00", 1):                       "must be after from",
		strings.Replace(header, "2026-01-02T03:10", "2226-01-02T03:10", 1): "must be at most 110000",
		header + "{}":                                            "f:2: must have a node or a pod",
		header + `{"node":""}`:                                   "f:2: node is empty",
		header + `{"pod":"p"}`:                                   `f:2: namespace is "" and pod is "p"`,
		header + `{"node":"n","cpu":{"values":[-1]}}`:            "f:2: cpu.values[0] is -1: must be from 0",
		header + `{"node":"n","memory":{"values":[1e300]}}`:      "f:2: memory.values[0] is 1e+300",
		header + `{"node":"n","cpu":{"first":9,"values":[1,1]}}`: "f:2: cpu has 2 values from step 9 on: must be within the recording's 10 steps",
		header + `{"node":"n","cpu":{"first":-1}}`:               "from step -1 on",
		header + `{"node":"n","cpu":{"values":["x"]}}`:           "f:2: ",
		header + `{"node":"n","x":1}`:                            `f:2: json: unknown field "x"`,
		header + "\n" + `{"node":"n"} {}`:                        "f:3: ",
		header + good[2][:20]:                                    "f:2: ",
	} {
		if _, err := Read("f", strings.NewReader(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200s: the error is %v, want %q in it", input, err, want)
		}
	}
}

func TestFilesThatAreCutOffAreRefused(t *testing.T) {
	var out bytes.Buffer
	if err := example().Write(&out); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"cut off": out.Bytes()[:out.Len()-20], "not compressed": []byte("{}")} {
		file := filepath.Join(t.TempDir(), File)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: the error is %v, want the file in it", name, err)
		}
	}
}

// Whatever is read can be written, and is read again as the same.
func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	if err := example().Write(&out); err != nil {
		f.Fatal(err)
	}
	zip, err := gzip.NewReader(&out)
	if err != nil {
		f.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(zip); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.String())
	f.Fuzz(func(t *testing.T, input string) {
		r, err := Read("f", strings.NewReader(input))
		if err != nil {
			return
		}
		written := text(t, r)
		again, err := Read("f", strings.NewReader(written))
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, written)
		}
		if got := text(t, again); got != written {
			t.Errorf("written again it is\n%s\nand was\n%s", got, written)
		}
	})
}
