// Package podtemplate knows the objects that make pods, and where their template is.
package podtemplate

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
)

// Maker is an object that makes pods.
type Maker struct {
	// Object is what to decode the object into.
	Object any
	// Template is the template in it, and Path where that is, with a dot at the end.
	Template *v1.PodTemplateSpec
	Path     string
	// Replicas is how many pods it is to have; nil if it does not say, or has no such
	// number.
	Replicas func() *int32
	// Volumes are the templates of the claims to volumes that each pod gets of its own.
	Volumes func() []v1.PersistentVolumeClaim
}

// Of returns an empty object of the kind, nil if that makes no pods.
func Of(kind string) *Maker {
	const path = "spec.template."
	none := func() *int32 { return nil }
	shared := func() []v1.PersistentVolumeClaim { return nil }
	switch kind {
	case "Deployment":
		o := &appsv1.Deployment{}
		return &Maker{o, &o.Spec.Template, path, func() *int32 { return o.Spec.Replicas }, shared}
	case "StatefulSet":
		o := &appsv1.StatefulSet{}
		return &Maker{o, &o.Spec.Template, path, func() *int32 { return o.Spec.Replicas }, func() []v1.PersistentVolumeClaim { return o.Spec.VolumeClaimTemplates }}
	case "ReplicaSet":
		o := &appsv1.ReplicaSet{}
		return &Maker{o, &o.Spec.Template, path, func() *int32 { return o.Spec.Replicas }, shared}
	case "DaemonSet":
		o := &appsv1.DaemonSet{}
		return &Maker{o, &o.Spec.Template, path, none, shared}
	case "Job":
		o := &batchv1.Job{}
		return &Maker{o, &o.Spec.Template, path, func() *int32 { return o.Spec.Parallelism }, shared}
	case "CronJob":
		o := &batchv1.CronJob{}
		return &Maker{o, &o.Spec.JobTemplate.Spec.Template, "spec.jobTemplate.spec.template.", func() *int32 { return o.Spec.JobTemplate.Spec.Parallelism }, shared}
	}
	return nil
}
