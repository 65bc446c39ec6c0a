package fit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/utils/ptr"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/files"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/podtemplate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	engine "github.com/plimsoll-scheduler/plimsoll/pkg/fit"
)

// subject is the pod that is tried.
type subject struct {
	name     string // as the user knows it
	pod      *v1.Pod
	replicas int // 0 if nothing says
	notes    []string
	// own is what each replica has of its own, and likeName the name of the pod that
	// they are like, if they are.
	own      engine.Own
	likeName string
}

// subject returns the pod of the flags, complete as the API server would make it.
func (o *options) subject(ctx context.Context, from *source, stdin io.Reader) (*subject, error) {
	s := &subject{}
	var err error
	if o.like != "" {
		s, err = from.like(ctx, o.like)
	} else {
		s, err = o.read(ctx, stdin)
	}
	if err != nil {
		return nil, err
	}
	if s.pod.Namespace == "" {
		if s.pod.Namespace, err = o.cluster.Namespace(); err != nil || from.kube == nil {
			s.pod.Namespace = v1.NamespaceDefault
		}
	}
	if o.like == "" {
		if err := from.complete(ctx, s); err != nil {
			return nil, err
		}
	}
	err = s.look(ctx, from)
	return s, err
}

// read reads the file.
func (o *options) read(ctx context.Context, stdin io.Reader) (*subject, error) {
	content, err := files.Read(ctx, o.file, stdin)
	if err != nil {
		return nil, fmt.Errorf("--filename: %w", err)
	}
	found, others, err := subjectsIn(content)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--filename %s: %w", o.file, err)
	case len(found) == 0:
		return nil, fmt.Errorf("--filename %s: there is no pod in it, and nothing that makes pods (it has %s)", o.file, orNothing(others))
	case len(found) > 1:
		return nil, fmt.Errorf("--filename %s: there are %s and %s in it: one at a time can be tried", o.file, found[0].name, found[1].name)
	}
	return found[0], nil
}

func orNothing(kinds []string) string {
	if len(kinds) == 0 {
		return "nothing"
	}
	return strings.Join(kinds, ", ")
}

// subjectsIn returns the pods, and what makes pods, in a file, and the kinds of all else.
func subjectsIn(content []byte) (found []*subject, others []string, err error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff")))))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, others, nil
		}
		if err != nil {
			return nil, nil, err
		}
		kind := metav1.PartialObjectMetadata{}
		if err := sigsyaml.Unmarshal(document, &kind); err != nil {
			return nil, nil, err
		}
		if kind.Kind == "" {
			continue
		}
		s, err := subjectOf(&kind, document)
		if err != nil {
			return nil, nil, fmt.Errorf("%s %s: %w", kind.Kind, kind.Name, err)
		}
		if s == nil {
			others = append(others, kind.Kind)
			continue
		}
		found = append(found, s)
	}
}

// subjectOf returns the pod that an object is or makes; nil if it does neither.
func subjectOf(kind *metav1.PartialObjectMetadata, document []byte) (*subject, error) {
	name := kind.Kind + " " + kind.Name
	if kind.Kind == "Pod" {
		pod := &v1.Pod{}
		if err := sigsyaml.UnmarshalStrict(document, pod); err != nil {
			return nil, err
		}
		return &subject{name: name, pod: pod}, nil
	}
	maker := podtemplate.Of(kind.Kind)
	if maker == nil {
		return nil, nil
	}
	if err := sigsyaml.UnmarshalStrict(document, maker.Object); err != nil {
		return nil, err
	}
	pod := &v1.Pod{ObjectMeta: *maker.Template.ObjectMeta.DeepCopy(), Spec: *maker.Template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = kind.Namespace, ""
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: kind.APIVersion, Kind: kind.Kind, Name: kind.Name, UID: "fit", Controller: ptr.To(true)}}
	s := &subject{name: name, pod: pod}
	for _, claim := range maker.Volumes() {
		s.setOwn(claim.Name, claim.Spec)
		pod.Spec.Volumes = append(slices.DeleteFunc(pod.Spec.Volumes, func(v v1.Volume) bool { return v.Name == claim.Name }), v1.Volume{
			Name: claim.Name, VolumeSource: v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}},
		})
	}
	if replicas := maker.Replicas(); replicas != nil {
		s.replicas = int(*replicas)
	}
	return s, nil
}

// like returns a pod like the one of that name.
func (s *source) like(ctx context.Context, name string) (*subject, error) {
	pod, err := s.podNamed(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("--like %s: %w", name, err)
	}
	pod = pod.DeepCopy()
	return &subject{name: "a pod like " + pod.Namespace + "/" + pod.Name, pod: pod, likeName: pod.Name}, nil
}

// complete has the API server complete the pod by a dry run, so that it has its defaults,
// and what admission gives it. Without one, or the right to ask, it gets the defaults only.
func (s *source) complete(ctx context.Context, to *subject) error {
	if s.kube == nil {
		corev1.SetObjectDefaults_Pod(to.pod)
		return nil
	}
	asked := to.pod.DeepCopy()
	asked.OwnerReferences, asked.GenerateName = nil, "plimsoll-fit-"
	asked.Name = ""
	made, err := s.kube.CoreV1().Pods(asked.Namespace).Create(ctx, asked, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil:
		owners := to.pod.OwnerReferences
		to.pod = made
		to.pod.OwnerReferences = owners
	case cluster.IsLacking(err):
		corev1.SetObjectDefaults_Pod(to.pod)
		to.notes = append(to.notes, "you may not create pods here, so no dry run was made: what admission would change in the pod is not known ("+err.Error()+")")
	default:
		return fmt.Errorf("the API server would not take the pod: %w", err)
	}
	return nil
}

// look has what the pod refers to looked at, or notes what is not.
func (s *subject) look(ctx context.Context, from *source) error {
	if err := s.volumes(ctx, from); err != nil {
		return err
	}
	if err := s.claims(ctx, from); err != nil {
		return err
	}
	if compat.PodGroupOf(s.pod) != "" {
		s.notes = append(s.notes, "the pod is of a pod group: each is tried alone")
		compat.LeavePodGroup(s.pod)
	}
	return nil
}
