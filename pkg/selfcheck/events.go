package selfcheck

import (
	"context"
	"strings"

	v1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// maxNote is how long the note of an event may be.
const maxNote = 1024

// EventsOn returns what reports findings by Warning events on the scheduler's own pod.
// They are written at once: the scheduler's own recorder works only once it runs.
func EventsOn(client kubernetes.Interface, namespace, pod string, clock clock.PassiveClock) func(context.Context, string, Finding) {
	return func(ctx context.Context, check string, f Finding) {
		note := f.What + ". To mend it: " + f.Remedy
		if len(note) > maxNote {
			note = strings.ToValidUTF8(note[:maxNote], "")
		}
		event := &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: pod + "."},
			EventTime:  metav1.NewMicroTime(clock.Now()), ReportingController: "plimsoll", ReportingInstance: pod,
			Action: "SelfCheck", Reason: "SelfCheckFailed", Type: v1.EventTypeWarning, Note: note,
			Regarding: v1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: namespace, Name: pod},
		}
		if _, err := client.EventsV1().Events(namespace).Create(ctx, event, metav1.CreateOptions{}); err != nil {
			klog.FromContext(ctx).V(2).Info("A finding could not be told by an event", "check", check, "err", err)
		}
	}
}
