{{/*
What no schema can say of the values: bounds of durations, and of one value by another.
Each fault is a line with the path, the value and what is allowed; all are told at once.
The scheduler would refuse to start with most of them, when the release is there
already. The rules, and the defaults of durations that they compare with, are those of
pkg/apis/config; a test compares the two.
*/}}
{{- define "plimsoll.validate" -}}
{{- $faults := list -}}
{{- range fromJsonArray (include "plimsoll.nodeLoadFaults" .) -}}{{- $faults = append $faults . -}}{{- end -}}
{{- range fromJsonArray (include "plimsoll.deviceFitFaults" .) -}}{{- $faults = append $faults . -}}{{- end -}}
{{- range fromJsonArray (include "plimsoll.otherFaults" .) -}}{{- $faults = append $faults . -}}{{- end -}}
{{- with $faults -}}
{{- fail (printf "the values are not valid:\n  %s" (join "\n  " .)) -}}
{{- end -}}
{{- end -}}

{{/* A Go duration, such as 1m30s, in seconds. The schema has checked its form. */}}
{{- define "plimsoll.seconds" -}}
{{- $units := dict "h" 3600 "m" 60 "s" 1 "ms" 0.001 "us" 0.000001 "µs" 0.000001 "μs" 0.000001 "ns" 0.000000001 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+[a-zµμ]+" (toString .) -1 -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $sum = addf $sum (mulf (float64 $number) (get $units (trimPrefix $number .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{- define "plimsoll.nodeLoadFaults" -}}
{{- $faults := list -}}
{{- $args := .Values.nodeLoad -}}
{{- $prometheus := dig "source" "prometheus" (dict) $args -}}
{{- $isPrometheus := eq (dig "source" "type" "MetricsServer" $args) "Prometheus" -}}

{{- /* Each duration: where it is, its text, and its bounds in seconds and in words. */}}
{{- $durations := dict
      "interval" (list "source.interval" (dig "source" "interval" "15s" $args) 1 600 "1s and 10m0s")
      "timeout" (list "source.timeout" (dig "source" "timeout" "10s" $args) 0.001 600 "1ms and 10m0s")
      "expiration" (list "expiration" (dig "expiration" "90s" $args) 1 86400 "1s and 24h0m0s")
      "window" (list "window" (dig "window" "15m" $args) 0 300000 "0s and 83h20m0s")
      "warmUp" (list "estimate.warmUp" (dig "estimate" "warmUp" "60s" $args) 0 3600 "0s and 1h0m0s")
      "maxWait" (list "filter.maxWait" (dig "filter" "maxWait" "0s" $args) 0 86400 "0s and 24h0m0s")
      "range" (list "source.prometheus.window" (dig "window" "1m" $prometheus) 1 86400 "1s and 24h0m0s") -}}
{{- $seconds := dict -}}
{{- $bad := dict -}}
{{- range $name := keys $durations | sortAlpha -}}
{{- $d := get $durations $name -}}
{{- $value := include "plimsoll.seconds" (index $d 1) | float64 -}}
{{- $_ := set $seconds $name $value -}}
{{- if or (lt $value (float64 (index $d 2))) (gt $value (float64 (index $d 3))) -}}
{{- $_ := set $bad $name true -}}
{{- $faults = append $faults (printf "nodeLoad.%s: Invalid value: %q: must be between %s" (index $d 0) (index $d 1) (index $d 4)) -}}
{{- end -}}
{{- end -}}

{{- /* Two are compared only if each is in range by itself: one message is enough. */}}
{{- $poll := not (or $bad.interval $bad.timeout) -}}
{{- if and $poll (gt $seconds.timeout $seconds.interval) -}}
{{- $faults = append $faults (printf "nodeLoad.source.timeout: Invalid value: %q: must not exceed source.interval, which is %s" (index $durations.timeout 1) (index $durations.interval 1)) -}}
{{- else if and $poll (not $bad.expiration) (lt $seconds.expiration (addf $seconds.interval $seconds.timeout)) -}}
{{- $faults = append $faults (printf "nodeLoad.expiration: Invalid value: %q: must be at least source.interval + source.timeout, which is %vs" (index $durations.expiration 1) (addf $seconds.interval $seconds.timeout)) -}}
{{- end -}}
{{- if and (not $bad.interval) (not $bad.window) (gt $seconds.window 0.0) (or (lt $seconds.window (mulf 2 $seconds.interval)) (gt $seconds.window (mulf 500 $seconds.interval))) -}}
{{- $faults = append $faults (printf "nodeLoad.window: Invalid value: %q: must be 0s, which keeps the newest sample only, or from 2 to 500 times source.interval, which is %s" (index $durations.window 1) (index $durations.interval 1)) -}}
{{- $_ := set $bad "window" true -}}
{{- end -}}

{{- if $isPrometheus -}}
{{- if $bad.range -}}
{{- else if and (not $bad.expiration) (gt $seconds.range $seconds.expiration) -}}
{{- $faults = append $faults (printf "nodeLoad.source.prometheus.window: Invalid value: %q: must not exceed expiration, which is %s" (index $durations.range 1) (index $durations.expiration 1)) -}}
{{- else if and (not $bad.window) (gt $seconds.window 0.0) (lt $seconds.window $seconds.range) -}}
{{- $faults = append $faults (printf "nodeLoad.window: Invalid value: %q: must be 0s, or at least source.prometheus.window, which is %s" (index $durations.window 1) (index $durations.range 1)) -}}
{{- end -}}
{{- if not $prometheus.address -}}
{{- $faults = append $faults "nodeLoad.source.prometheus.address: Required value: the URL of the Prometheus server, such as https://prometheus.monitoring:9090" -}}
{{- end -}}
{{- if and $prometheus.certFile (not $prometheus.keyFile) -}}
{{- $faults = append $faults "nodeLoad.source.prometheus.keyFile: Required value: goes with certFile" -}}
{{- else if and $prometheus.keyFile (not $prometheus.certFile) -}}
{{- $faults = append $faults "nodeLoad.source.prometheus.certFile: Required value: goes with keyFile" -}}
{{- end -}}
{{- if hasPrefix "http://" (lower (toString $prometheus.address)) -}}
{{- range list "caFile" "certFile" "insecureSkipVerify" "keyFile" "serverName" -}}
{{- if get $prometheus . -}}
{{- $faults = append $faults (printf "nodeLoad.source.prometheus.%s: Forbidden: is for TLS, and the address begins with http://; it must begin with https://" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $label, $default := dict "namespaceLabel" "namespace" "podLabel" "pod" -}}
{{- if and (not (hasKey $prometheus "podQueries")) (ne (dig $label $default $prometheus) $default) -}}
{{- $faults = append $faults (printf "nodeLoad.source.prometheus.%s: Forbidden: is for podQueries; without them pods are read from metrics-server. podQueries: {} asks with the default expressions" $label) -}}
{{- end -}}
{{- end -}}
{{- if eq (dig "namespaceLabel" "namespace" $prometheus) (dig "podLabel" "pod" $prometheus) -}}
{{- $faults = append $faults (printf "nodeLoad.source.prometheus.podLabel: Invalid value: %q: must be another label than namespaceLabel" (dig "podLabel" "pod" $prometheus)) -}}
{{- end -}}
{{- else if hasKey (dig "source" (dict) $args) "prometheus" -}}
{{- $faults = append $faults "nodeLoad.source.prometheus: Forbidden: is for type: Prometheus, and the type is MetricsServer" -}}
{{- end -}}

{{- if and (eq (dig "score" "strategy" "" $args) "LeastExpectedLoss") (or (ne (dig "score" "worstResourceWeight" 1 $args | float64) 1.0) (ne (dig "score" "riskAversion" 0 $args | float64) 0.0)) -}}
{{- $faults = append $faults "nodeLoad.score.strategy: Forbidden: worstResourceWeight and riskAversion would be ignored: they are for MostHeadroom, which is the strategy if only they are given" -}}
{{- end -}}
{{- if and (eq (dig "score" "weights" "cpu" 1 $args | int) 0) (eq (dig "score" "weights" "memory" 1 $args | int) 0) -}}
{{- $faults = append $faults "nodeLoad.score.weights: Invalid value: at least one weight must be above 0" -}}
{{- end -}}
{{- range $i, $band := $args.bands -}}
{{- if and (hasKey $band "minPriority") (hasKey $band "maxPriority") -}}
{{- if gt (int64 $band.minPriority) (int64 $band.maxPriority) -}}
{{- $faults = append $faults (printf "nodeLoad.bands[%d].maxPriority: Invalid value: %d: must be at least minPriority" $i (int64 $band.maxPriority)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "plimsoll.deviceFitFaults" -}}
{{- $faults := list -}}
{{- $patterns := dig "resources" (list "*") .Values.deviceFit -}}
{{- $included := list -}}
{{- range $patterns -}}
{{- if not (hasPrefix "!" .) -}}{{- $included = append $included . -}}{{- end -}}
{{- end -}}
{{- if not $included -}}
{{- $faults = append $faults `deviceFit.resources: Required value: at least one name or pattern that does not begin with "!", such as "*" or "nvidia.com/*"` -}}
{{- end -}}
{{- range $i, $pattern := $patterns -}}
{{- $text := trimPrefix "!" $pattern -}}
{{- if ne $text $pattern -}}
{{- if has $text (list "*" "*/*") -}}
{{- $faults = append $faults (printf "deviceFit.resources[%d]: Invalid value: %q: excludes all resources; must exclude some, such as \"!virt.example.com/*\"" $i $pattern) -}}
{{- else if has $text $included -}}
{{- $faults = append $faults (printf "deviceFit.resources[%d]: Invalid value: %q: excludes what another names; must be one or the other" $i $pattern) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name := dig "weights" (dict) .Values.deviceFit | keys | sortAlpha -}}
{{- if and (regexMatch "kubernetes\\.io/" $name) (not (hasPrefix "deviceclass.resource.kubernetes.io/" $name)) -}}
{{- $faults = append $faults (printf "deviceFit.weights[%s]: Invalid value: the key must be the name of an extended resource, such as \"nvidia.com/gpu\", or of a device class, such as \"deviceclass.resource.kubernetes.io/gpu.nvidia.com\"" $name) -}}
{{- end -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}

{{- define "plimsoll.otherFaults" -}}
{{- $faults := list -}}
{{- $elsewhere := dict
      "profiles" "goes into the value extraProfiles, and the first profile into profile"
      "leaderElection" "goes into the value leaderElection"
      "apiVersion" "is the chart's to say" "kind" "is the chart's to say" -}}
{{- range $field, $why := $elsewhere -}}
{{- if hasKey $.Values.configuration $field -}}
{{- $faults = append $faults (printf "configuration.%s: Forbidden: %s" $field $why) -}}
{{- end -}}
{{- end -}}
{{- range $i, $entry := .Values.profile.pluginConfig -}}
{{- range $plugin, $value := dict "NodeLoad" "nodeLoad" "DeviceFit" "deviceFit" -}}
{{- if eq (toString $entry.name) $plugin -}}
{{- $faults = append $faults (printf "profile.pluginConfig[%d].name: Invalid value: %q: its arguments go into the value %s" $i $plugin $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := list .Values.schedulerName -}}
{{- range $i, $profile := .Values.extraProfiles -}}
{{- if has $profile.schedulerName $names -}}
{{- $faults = append $faults (printf "extraProfiles[%d].schedulerName: Duplicate value: %q: each profile needs a name of its own" $i $profile.schedulerName) -}}
{{- end -}}
{{- $names = append $names $profile.schedulerName -}}
{{- end -}}
{{- if eq (int .Values.securePort) (int .Values.decisionsPort) -}}
{{- $faults = append $faults (printf "decisionsPort: Invalid value: %d: must be another port than securePort, or 0, which turns it off" (int .Values.decisionsPort)) -}}
{{- end -}}
{{- if and (eq (toString .Values.leaderElection.leaderElect) "false") (gt (int .Values.replicas) 1) -}}
{{- $faults = append $faults "leaderElection.leaderElect: Invalid value: false: must be true with more than one replica, all of which would schedule" -}}
{{- end -}}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- $faults = append $faults "serviceAccount.name: Required value: with serviceAccount.create: false and rbac.create: true, the ServiceAccount that gets the permissions" -}}
{{- end -}}
{{- toJson $faults -}}
{{- end -}}
