package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/plimsoll-scheduler/plimsoll/test/burn"
)

// control is what tests tell the plugin by HTTP.
func control(all []*devices, burner *burn.Burner) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) {
		states := map[string]map[string]State{}
		for _, d := range all {
			states[d.resource], _ = d.now()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(states)
	})
	mux.HandleFunc("POST /devices", func(w http.ResponseWriter, r *http.Request) {
		id, state := r.FormValue("id"), State(r.FormValue("state"))
		if state != Healthy && state != Unhealthy && state != Gone {
			http.Error(w, fmt.Sprintf("state=%s: must be healthy, unhealthy or gone", state), http.StatusBadRequest)
			return
		}
		for _, d := range all {
			if d.set(id, state) {
				return
			}
		}
		http.Error(w, fmt.Sprintf("id=%s: no such device, see /devices", id), http.StatusNotFound)
	})
	mux.HandleFunc("POST /load", func(w http.ResponseWriter, r *http.Request) {
		cores, err := strconv.ParseFloat(r.FormValue("cores"), 64)
		if err != nil || !(cores >= 0 && cores <= 64) { // NaN is neither
			http.Error(w, fmt.Sprintf("cores=%s: must be 0 to 64", r.FormValue("cores")), http.StatusBadRequest)
			return
		}
		burner.Set(cores)
	})
	return mux
}
