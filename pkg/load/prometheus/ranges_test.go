package prometheus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// answering serves range queries; write answers one of so many steps.
func answering(t *testing.T, write func(w http.ResponseWriter, start float64, steps int)) *Ranges {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(r.FormValue(name), 64)
			if err != nil {
				t.Errorf("%s is %q", name, r.FormValue(name))
			}
			return v
		}
		w.Header().Set("Content-Type", "application/json")
		write(w, number("start"), int((number("end")-number("start"))/number("step"))+1)
	}))
	t.Cleanup(server.Close)
	ranges, err := NewRanges(Config{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return ranges
}

// steps asks for so many steps of a second, and returns the times of the values.
func steps(t *testing.T, r *Ranges, count int, mayBeEmpty bool) (times []int64, err error) {
	t.Helper()
	from := time.Unix(1000, 0)
	err = r.Each(t.Context(), "x", from, from.Add(time.Duration(count-1)*time.Second), time.Second, mayBeEmpty, func(m model.Matrix) error {
		for _, series := range m {
			for _, value := range series.Values {
				times = append(times, value.Timestamp.Unix())
			}
		}
		return nil
	})
	return times, err
}

func answerOf(start float64, steps int) string {
	all := make([]string, steps)
	for i := range all {
		all[i] = fmt.Sprintf(`[%g,"1"]`, start+float64(i))
	}
	return `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[` + strings.Join(all, ",") + `]}]}}`
}

func TestLongRangesAreAskedForInParts(t *testing.T) {
	asked := 0
	times, err := steps(t, answering(t, func(w http.ResponseWriter, start float64, steps int) {
		asked++
		fmt.Fprint(w, answerOf(start, steps))
	}), 2500, false)
	if err != nil || len(times) != 2500 || asked != 3 {
		t.Fatalf("%d values in %d parts: %v", len(times), asked, err)
	}
	for i, at := range times {
		if at != 1000+int64(i) {
			t.Fatalf("value %d is of %d", i, at)
		}
	}
}

func TestAnswersThatAreTooLargeAreAskedForInHalves(t *testing.T) {
	times, err := steps(t, answering(t, func(w http.ResponseWriter, start float64, steps int) {
		if steps > 100 {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}`)
			return
		}
		fmt.Fprint(w, answerOf(start, steps))
	}), 700, false)
	if err != nil || len(times) != 700 || times[0] != 1000 || times[699] != 1699 {
		t.Fatalf("%d values: %v", len(times), err)
	}
}

func TestAnswersOfWhichAPartLacksAreErrors(t *testing.T) {
	for answer, want := range map[string]string{
		`{"status":"success","warnings":["store 2 is away"],"data":{"resultType":"matrix","result":[]}}`: "may lack a part, for it has warnings: store 2 is away",
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`:                                "the answer is empty from 1970-01-01T00:16:40Z to",
		`{"status":"success","data":{"resultType":"vector","result":[]}}`:                                "must be a range vector",
		`{"status":"error","errorType":"bad_data","error":"parse error"}`:                                "parse error",
		`<html>`: "the answer is not one of Prometheus' API",
	} {
		r := answering(t, func(w http.ResponseWriter, _ float64, _ int) { fmt.Fprint(w, answer) })
		if _, err := steps(t, r, 3, false); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the expression is: x") {
			t.Errorf("%s: the error is %v, want %q in it", answer, err, want)
		}
	}
	r := answering(t, func(w http.ResponseWriter, _ float64, _ int) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	})
	if _, err := steps(t, r, 3, true); err != nil {
		t.Error(err)
	}
}
