{{/*
Writes a scalar as Flink reads it. Numbers of a YAML file arrive as floats, whose default notation of a million is 1e+06.
*/}}
{{- define "tributary.scalar" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if kindIs "slice" . -}}
{{- join ";" . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Adds the leaves of `from` to the dict `into`, under dotted names that begin with `prefix`. */}}
{{- define "tributary.flatten" -}}
{{- range $key, $value := .from -}}
{{- if kindIs "map" $value -}}
{{- include "tributary.flatten" (dict "from" $value "into" $.into "prefix" (printf "%s%s." $.prefix $key)) -}}
{{- else -}}
{{- $_ := set $.into (printf "%s%s" $.prefix $key) (include "tributary.scalar" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The Flink configuration of a job as YAML: the production profile, then what follows from running in pods and from the chart's values, then
flink.configuration, then jobs.<name>.configuration. Takes a dict of `root` and `job` (its name).
*/}}
{{- define "tributary.flinkConfiguration" -}}
{{- $root := .root -}}
{{- $merged := dict -}}
{{- $production := $root.Files.Get "flink-production.yaml" -}}
{{- if not $production }}{{ fail "the chart has no flink-production.yaml: it is a link to flink-conf/production/config.yaml" }}{{ end -}}
{{- include "tributary.flatten" (dict "from" (fromYaml $production) "into" $merged "prefix" "") -}}
{{- $storage := required "storage.root is empty; it is where checkpoints and savepoints go, such as s3://bucket/path" $root.Values.storage.root -}}
{{- $folder := printf "%s/%s" (trimSuffix "/" $storage) .job -}}
{{- $_ := set $merged "execution.checkpointing.dir" (printf "%s/checkpoints" $folder) -}}
{{- $_ := set $merged "execution.checkpointing.savepoint-dir" (printf "%s/savepoints" $folder) -}}
{{- $_ := set $merged "high-availability.type" "kubernetes" -}}
{{- $_ := set $merged "high-availability.storageDir" (printf "%s/high-availability" $folder) -}}
{{- $_ := set $merged "python.executable" "/usr/local/bin/python3" -}}
{{- $_ := set $merged "python.client.executable" "/usr/local/bin/python3" -}}
{{- /* One process a pod needs one port, not the range of the profile. */ -}}
{{- $_ := set $merged "metrics.reporter.prom.port" (include "tributary.flinkMetricsPort" $root) -}}
{{- include "tributary.flatten" (dict "from" $root.Values.flink.configuration "into" $merged "prefix" "") -}}
{{- $job := index $root.Values.jobs .job -}}
{{- include "tributary.flatten" (dict "from" (default dict $job.configuration) "into" $merged "prefix" "") -}}
{{- toYaml $merged -}}
{{- end -}}

{{- define "tributary.flinkMetricsPort" -}}9249{{- end -}}

{{/* One value of a job's Flink configuration. Takes a dict of `root`, `job` and `key`. */}}
{{- define "tributary.flinkValue" -}}
{{- $configuration := fromYaml (include "tributary.flinkConfiguration" .) -}}
{{- required (printf "flink-conf/production/config.yaml has no %s" .key) (get $configuration .key) -}}
{{- end -}}
