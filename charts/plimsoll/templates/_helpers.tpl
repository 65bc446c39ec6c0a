{{/* The name of the chart, unless another one is given. */}}
{{- define "plimsoll.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
What objects are called. At most 40 characters, so that what is put behind it fits into
the 63 of a label.
*/}}
{{- define "plimsoll.fullname" -}}
{{- $name := include "plimsoll.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What the pods of this release are known by. It must never change. */}}
{{- define "plimsoll.selectorLabels" -}}
app.kubernetes.io/name: {{ include "plimsoll.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: scheduler
{{- end -}}

{{- define "plimsoll.labels" -}}
{{ include "plimsoll.selectorLabels" . }}
app.kubernetes.io/part-of: plimsoll
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of an object in the release's namespace, by (list context suffix). */}}
{{- define "plimsoll.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "plimsoll.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "plimsoll.labels" $root | nindent 2 }}
{{- end -}}

{{/* The same for an object that is in no namespace. */}}
{{- define "plimsoll.clusterMetadata" -}}
{{- $root := index . 0 -}}
name: {{ include "plimsoll.fullname" $root }}{{ index . 1 }}
labels:
  {{- include "plimsoll.labels" $root | nindent 2 }}
{{- end -}}

{{/* The same for what belongs to admission, and not to the scheduler. */}}
{{- define "plimsoll.admissionMetadata" -}}
{{- include "plimsoll.clusterMetadata" . | replace "component: scheduler" "component: admission" -}}
{{- end -}}

{{/*
The version of MutatingAdmissionPolicy: v1 from Kubernetes 1.36 on, else the beta where the
cluster serves it. A cluster tells which kinds it has; "helm template" knows only the
version that it is told.
*/}}
{{- define "plimsoll.mutatingVersion" -}}
{{- $group := "admissionregistration.k8s.io" -}}
{{- $kind := "MutatingAdmissionPolicy" -}}
{{- if or (.Capabilities.APIVersions.Has (printf "%s/v1/%s" $group $kind)) (semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version) -}}
{{ $group }}/v1
{{- else if .Capabilities.APIVersions.Has (printf "%s/v1beta1/%s" $group $kind) -}}
{{ $group }}/v1beta1
{{- else -}}
{{- fail (printf "admission.schedule: Kubernetes %s serves no %s. It is there from 1.36 on; in 1.34 and 1.35 the API server serves its beta with --feature-gates=MutatingAdmissionPolicy=true --runtime-config=admissionregistration.k8s.io/v1beta1=true (and helm template knows of it by --api-versions admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy). Without it, set admission.schedule to false, and schedulerName in pods" .Capabilities.KubeVersion.Version $kind) -}}
{{- end -}}
{{- end -}}

{{- define "plimsoll.serviceAccountName" -}}
{{- default (ternary (include "plimsoll.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "plimsoll.configMapName" -}}
{{- default (printf "%s-config" (include "plimsoll.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{- define "plimsoll.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/*
The configuration that the scheduler is started with. The chart repeats no default of a
plugin: arguments are passed on as they were given.
*/}}
{{- define "plimsoll.config" -}}
{{- $pluginConfig := list -}}
{{- with .Values.nodeLoad -}}
{{- $pluginConfig = append $pluginConfig (dict "name" "NodeLoad" "args" .) -}}
{{- end -}}
{{- with .Values.deviceFit -}}
{{- $pluginConfig = append $pluginConfig (dict "name" "DeviceFit" "args" .) -}}
{{- end -}}
{{- range .Values.profile.pluginConfig -}}
{{- $pluginConfig = append $pluginConfig . -}}
{{- end -}}
{{- $profile := merge (dict "schedulerName" .Values.schedulerName "pluginConfig" $pluginConfig) .Values.profile -}}
{{- $lease := merge (dict "resourceName" (include "plimsoll.fullname" .) "resourceNamespace" .Release.Namespace) .Values.leaderElection (dict "retryPeriod" "800ms") -}}
{{- $config := dict "apiVersion" "kubescheduler.config.k8s.io/v1" "kind" "KubeSchedulerConfiguration" -}}
{{- $config = merge $config (dict "leaderElection" $lease "profiles" (prepend .Values.extraProfiles $profile)) .Values.configuration -}}
{{ toYaml $config }}
{{- end -}}
