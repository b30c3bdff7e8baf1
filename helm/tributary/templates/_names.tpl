{{/*
Names and labels. The Flink operator takes names of at most 45 characters: 29 of the release, a hyphen, 15 of the job (the schema bounds those).
*/}}
{{- define "tributary.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 29 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 29 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels by which a release's pods are found; they never change. */}}
{{- define "tributary.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tributary.labels" -}}
{{ include "tributary.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "tributary.flinkServiceAccount" -}}
{{- default (printf "%s-flink" (include "tributary.fullname" .)) .Values.flink.serviceAccount.name -}}
{{- end -}}

{{/* Takes a dict of `root` and `image` (jobs or serving). */}}
{{- define "tributary.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}

{{- define "tributary.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The passwords as environment variables, by reference. Nothing when no Secret is named. */}}
{{- define "tributary.passwords" -}}
{{- include "tributary.kafkaPassword" . }}
{{- with .Values.clickhouse }}{{ if .existingSecret }}
- name: TRIBUTARY_CLICKHOUSE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}}
{{- end }}{{ end }}
{{- with .Values.redis }}{{ if .existingSecret }}
- name: TRIBUTARY_REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}}
{{- end }}{{ end }}
{{- end -}}
