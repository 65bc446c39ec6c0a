package dashboard

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// State is all that the page shows at once, as a profile judges it.
type State struct {
	status.Header `json:",inline"` // its Time is by the scheduler's clock
	// Leader is the replica that was asked.
	Leader string `json:"leader"`
	// Error says why the leader cannot be asked now; then the rest is what was known
	// before, as of AgeSeconds ago.
	Error      string  `json:"error,omitempty"`
	AgeSeconds float64 `json:"ageSeconds"`
	// NextSeconds is in how many seconds there will be news.
	NextSeconds float64       `json:"nextSeconds"`
	Nodes       []status.Node `json:"nodes"`
	// Waiting are the pods of the profile that have no node, those first that have
	// waited longest; at most maxWaiting of WaitingTotal. WaitingMore says that there
	// are even more than were counted, and WaitingNote why they may not be all.
	Waiting      []Waiting  `json:"waiting"`
	WaitingTotal int        `json:"waitingTotal"`
	WaitingMore  bool       `json:"waitingMore,omitempty"`
	WaitingNote  string     `json:"waitingNote,omitempty"`
	Decisions    []Decision `json:"decisions"`

	// taken is when the leader said so, and asked when it was asked last, by our clock.
	taken, asked time.Time
}

// Waiting is a pod that has no node.
type Waiting struct {
	Pod   string    `json:"pod"` // namespace/name
	Since time.Time `json:"since"`
	// Reason says in short why, and For what has to happen.
	Reason string `json:"reason"`
	For    string `json:"for,omitempty"`
}

// Decision is a decision in short, with the numbers of the node that was chosen.
type Decision struct {
	explain.Summary
	// Chosen is absent if no node was.
	Chosen *explain.Node `json:"chosen,omitempty"`
}

// FoundPod is a pod that a search has found.
type FoundPod struct {
	Pod  string `json:"pod"`            // namespace/name
	Node string `json:"node,omitempty"` // empty if it waits
}
