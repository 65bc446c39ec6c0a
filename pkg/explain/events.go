package explain

import (
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
)

const (
	// saysAgain is after which time a pod that still waits is told of once more, with
	// the numbers of then. It is longer than the 12 minutes for which the recorder takes
	// events of one reason for repetitions of the first, whose text it keeps.
	saysAgain = 15 * time.Minute
	// eventsPerSecond and eventsBurst bound the events of pods that wait. What is left
	// out is said when the pod is tried again.
	eventsPerSecond = 5
	eventsBurst     = 100
	// maxNote is how long the text of an event may be, in bytes; the API server takes
	// 1,024.
	maxNote = 1000
)

// Reasons of events of pods.
const (
	waitsForLoad = "WaitsForLoad"
	chosenByLoad = "ChosenByLoad"
)

// RecordTo has decisions of a profile told by events of their pods. Call it before the
// first cycle.
func (l *Log) RecordTo(profile string, recorder events.EventRecorder) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recorders[profile] = recorder
}

// TellPlacements has also those pods told of that get a node. Call it before the first
// cycle.
func (l *Log) TellPlacements() { l.tellsPlacements = true }

// tell tells by an event what was decided on the pod, if that is news. It is called
// before the decision takes the place of the one before.
func (l *Log) tell(pod *v1.Pod, d *Decision) {
	l.mu.Lock()
	recorder := l.recorders[d.Profile]
	if before, ok := l.byPod[d.Pod]; ok && before.Value.(*Decision).UID == d.UID {
		d.told = before.Value.(*Decision).told
	}
	l.mu.Unlock()
	switch {
	case recorder == nil:
	case pod.Spec.SchedulerName != d.Profile: // one that is only observed
	case d.Result == Waits && d.WaitsFor != "":
		if (d.told.IsZero() || d.Time.Sub(d.told) >= saysAgain) && l.limiter.TryAccept() {
			d.told = d.Time
			recorder.Eventf(pod, nil, v1.EventTypeNormal, waitsForLoad, "Scheduling", "%s", brief("waits for "+d.WaitsFor))
		}
	case d.Result == Placed && l.tellsPlacements:
		if why := d.why(); why != "" {
			recorder.Eventf(pod, nil, v1.EventTypeNormal, chosenByLoad, "Scheduling", "%s", brief(why))
		}
	}
}

// brief returns as much of a text as an event can say.
func brief(text string) string {
	if len(text) <= maxNote {
		return text
	}
	return strings.ToValidUTF8(text[:maxNote], "") + " ..."
}

// why says in a line why the pod got its node: how much of the node's line is in use
// with it, and how it ranks beside the next best. It is empty if that is not known.
func (d *Decision) why() string {
	if len(d.Nodes) == 0 || d.Nodes[0].Name != d.Node {
		return ""
	}
	chosen := &d.Nodes[0]
	text := fmt.Sprintf("%s, of %d node(s): %s", chosen.Name, d.Considered, chosen.Load)
	if scores := chosen.scores(); scores != "" {
		text += "; scores: " + scores
		if len(d.Nodes) > 1 && d.Nodes[1].scores() != "" {
			text += fmt.Sprintf(", against %s of the next best, %s", d.Nodes[1].scores(), d.Nodes[1].Name)
		}
	}
	return text
}

// String says how much of the line is in use, in percent.
func (l *Loads) String() string {
	if l == nil {
		return "by requests, because its use is not known"
	}
	var parts []string
	for _, of := range []struct {
		name string
		Load
	}{{"cpu", l.CPU}, {"memory", l.Memory}} {
		if of.ThresholdPercent > 0 && of.Threshold > 0 {
			parts = append(parts, fmt.Sprintf("%s at %.0f %%", of.name, 100*of.Predicted/of.Threshold))
		}
	}
	if len(parts) == 0 {
		return "without a load line"
	}
	return strings.Join(parts, " and ") + " of its load line with the pod"
}

func (n *Node) scores() string {
	var scores []string
	if n.NodeLoad.Score != nil {
		scores = append(scores, fmt.Sprintf("NodeLoad %d", *n.NodeLoad.Score))
	}
	if n.DeviceFit.Score != nil {
		scores = append(scores, fmt.Sprintf("DeviceFit %d", *n.DeviceFit.Score))
	}
	return strings.Join(scores, ", ")
}
