{{/*
The enabled jobs, checked and with defaults filled in, as JSON of name: job. Fails with a message that names the value.
*/}}
{{- define "tributary.jobs" -}}
{{- $jobs := dict -}}
{{- $owner := dict -}}
{{- range $name, $given := .Values.jobs -}}
{{- if and $given (ne (toString $given.enabled) "false") -}}
{{- range $stage := $given.stages -}}
{{- if hasKey $owner $stage }}{{ fail (printf "jobs.%s.stages and jobs.%s.stages both have %s: give each stage to one job" (get $owner $stage) $name $stage) }}{{ end -}}
{{- $_ := set $owner $stage $name -}}
{{- end -}}
{{- if and (has "alerts" $given.stages) (not (has "campaign_metrics" $given.stages)) -}}
{{- fail (printf "jobs.%s.stages has alerts without campaign_metrics, whose windows they watch" $name) -}}
{{- end -}}
{{- $defaults := dict "options" (dict) "parallelism" 0 "state" "running" "upgradeMode" "savepoint" -}}
{{- $_ := set $jobs $name (merge (deepCopy $given) $defaults) -}}
{{- end -}}
{{- end -}}
{{- if and $jobs (not (hasKey $owner "events")) }}{{ fail "jobs: no job has the stage events, which stores what is accepted and ticks the clock" }}{{ end -}}
{{- toJson $jobs -}}
{{- end -}}

{{/* The consumer group of a job. Takes a dict of `root` and `job`. */}}
{{- define "tributary.consumerGroup" -}}
{{- printf "%s-%s" (include "tributary.fullname" .root) .job -}}
{{- end -}}

{{/* The name of the job with the stage events: its lag and its clock stand for the pipeline. */}}
{{- define "tributary.eventsJob" -}}
{{- range $name, $job := fromJson (include "tributary.jobs" .) -}}
{{- if has "events" $job.stages }}{{ $name }}{{ end -}}
{{- end -}}
{{- end -}}

{{/*
The command line of jobs/measurement.py, as a YAML list. Takes a dict of `root`, `name` and `job`. Options that the chart sets from its
own values are refused in jobs.<name>.options by the schema.
*/}}
{{- define "tributary.jobArguments" -}}
{{- $root := .root -}}
- --kafka-bootstrap
- {{ $root.Values.kafka.bootstrap | quote }}
{{- range $option, $value := fromJson (include "tributary.kafkaOptions" $root) }}
- --{{ $option }}
- {{ $value | quote }}
{{- end }}
- --clickhouse-url
- {{ $root.Values.clickhouse.url | quote }}
- --clickhouse-database
- {{ $root.Values.clickhouse.database | quote }}
- --redis-url
- {{ $root.Values.redis.url | quote }}
{{- with $root.Values.schemaRegistry.url }}
- --registry
- {{ . | quote }}
{{- end }}
{{- with $root.Values.kafka.topicPrefix }}
- --topic-prefix
- {{ . | quote }}
{{- end }}
- --consumer-group
- {{ include "tributary.consumerGroup" (dict "root" $root "job" .name) | quote }}
- --job-name
- {{ include "tributary.consumerGroup" (dict "root" $root "job" .name) | quote }}
- --stages
- {{ join "," .job.stages | quote }}
{{- $options := .job.options }}
{{- if not (has "events" .job.stages) }}
{{- $options = merge (dict "clock-tick-ms" 0) $options }}
{{- end }}
{{- range $option, $value := $options }}
- --{{ $option }}
- {{ include "tributary.scalar" $value | quote }}
{{- end }}
{{- end -}}
