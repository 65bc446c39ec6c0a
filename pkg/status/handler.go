package status

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The paths, below Root, of which who may get them may be told everything.
const (
	Root = "/plimsoll/"
	// ProfilePath has a Header alone.
	ProfilePath   = Root + "profile"
	NodesPath     = Root + "nodes"
	PodsPath      = Root + "pods"
	WorkloadsPath = Root + "workloads"
	DevicesPath   = Root + "devices"
	// ConfigurationPath has the configuration file, as it was at the start.
	ConfigurationPath = Root + "configuration"
)

// Failure is the body of an answer other than OK.
type Failure struct {
	Error string `json:"error"`
}

// Install serves the paths. Who may read them is for the handlers around mux to say.
func (s *Server) Install(mux *http.ServeMux) {
	mux.HandleFunc("GET "+ConfigurationPath, s.configuration)
	s.handle(mux, ProfilePath, nil, func(profile string, _ *http.Request) (any, error) {
		view := s.Model().View()
		return s.header(profile, &view), nil
	})
	s.handle(mux, NodesPath, nil, func(profile string, _ *http.Request) (any, error) { return s.Nodes(profile) })
	s.handle(mux, WorkloadsPath, nil, func(profile string, _ *http.Request) (any, error) { return s.Workloads(profile), nil })
	s.handle(mux, DevicesPath, nil, func(profile string, _ *http.Request) (any, error) { return s.Devices(profile) })
	s.handle(mux, PodsPath, []string{"namespace", "node"}, func(profile string, r *http.Request) (any, error) {
		query := r.URL.Query()
		return s.Pods(profile, query.Get("node"), query.Get("namespace"))
	})
}

// handle serves what the function returns for a profile: the one that the parameter
// names, or the first. further are the other parameters.
func (s *Server) handle(mux *http.ServeMux, path string, further []string, get func(profile string, r *http.Request) (any, error)) {
	known := append([]string{"profile"}, further...)
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			Answer(w, http.StatusMethodNotAllowed, Failure{path + " can only be read: use GET"})
			return
		}
		for name := range r.URL.Query() {
			if !slices.Contains(known, name) {
				Answer(w, http.StatusBadRequest, Failure{fmt.Sprintf("unknown parameter %q: known here are %s", name, strings.Join(known, ", "))})
				return
			}
		}
		profile, err := s.profile(r.URL.Query().Get("profile"))
		if err != nil {
			Answer(w, http.StatusNotFound, Failure{err.Error()})
			return
		}
		if s.Model() == nil {
			Answer(w, http.StatusServiceUnavailable, Failure{"there is no load model yet: the scheduler is starting"})
			return
		}
		body, err := get(profile, r)
		if err != nil {
			Answer(w, http.StatusInternalServerError, Failure{err.Error()})
			return
		}
		Answer(w, http.StatusOK, body)
	})
}

// configuration serves the configuration file.
func (s *Server) configuration(w http.ResponseWriter, _ *http.Request) {
	if len(s.Configuration) == 0 {
		Answer(w, http.StatusNotFound, Failure{"the scheduler runs without a configuration file (--config)"})
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(s.Configuration) // whoever asked is gone
}

// profile returns the profile of the name, and without a name the first.
func (s *Server) profile(name string) (string, error) {
	names := s.Reporters.names()
	switch {
	case len(names) == 0:
		return "", fmt.Errorf("no profile has one of Plimsoll's plugins")
	case name == "":
		return names[0], nil
	case !slices.Contains(names, name):
		return "", fmt.Errorf("profile %q: there is none of that name with one of Plimsoll's plugins; there are %s", name, strings.Join(names, ", "))
	}
	return name, nil
}

// Answer answers with JSON.
func Answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // whoever asked is gone
}
