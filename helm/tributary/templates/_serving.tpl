{{/*
Environment of serving as YAML: every option as TRIBUTARY_<NAME>. Addresses and ports, which the chart sets, are refused in serving.options
by the schema.
*/}}
{{- define "tributary.servingEnvironment" -}}
{{- $environment := dict
  "TRIBUTARY_KAFKA_BOOTSTRAP" .Values.kafka.bootstrap
  "TRIBUTARY_TOPIC_PREFIX" .Values.kafka.topicPrefix
  "TRIBUTARY_CLICKHOUSE_URL" .Values.clickhouse.url
  "TRIBUTARY_CLICKHOUSE_DATABASE" .Values.clickhouse.database
  "TRIBUTARY_REDIS_URL" .Values.redis.url
  "TRIBUTARY_HOST" "0.0.0.0"
  "TRIBUTARY_GRPC_PORT" "50051"
  "TRIBUTARY_HTTP_PORT" "8080"
  "TRIBUTARY_DRAIN_SECONDS" "20"
  "TRIBUTARY_SERVICE_KEYS" "true"
  "TRIBUTARY_RELATIONAL_URL" (required "relational.url is empty: serving keeps users, keys and the audit log there" .Values.relational.url)
-}}
{{- range $option, $value := fromJson (include "tributary.kafkaOptions" .) -}}
{{- $_ := set $environment (printf "TRIBUTARY_%s" ($option | upper | replace "-" "_")) $value -}}
{{- end -}}
{{- with include "tributary.eventsJob" . -}}
{{- $_ := set $environment "TRIBUTARY_PIPELINE_GROUP" (include "tributary.consumerGroup" (dict "root" $ "job" .)) -}}
{{- end -}}
{{- range $option, $value := .Values.serving.options -}}
{{- $_ := set $environment (printf "TRIBUTARY_%s" ($option | upper | replace "-" "_")) (include "tributary.scalar" $value) -}}
{{- end -}}
{{- toYaml $environment -}}
{{- end -}}

{{/* Serving's own passwords and secrets as environment variables, by reference. */}}
{{- define "tributary.servingSecrets" -}}
{{- with .Values.relational }}{{ if .existingSecret }}
- name: TRIBUTARY_RELATIONAL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}}
{{- end }}{{ end }}
{{- with .Values.serving.existingSecret }}
{{- range list "oidc-client-secret" "session-secret" "operator-token" }}
- name: TRIBUTARY_{{ upper . | replace "-" "_" }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.serving.existingSecret }}, key: {{ . }}, optional: true}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "tributary.servingSelector" -}}
{{ include "tributary.selectorLabels" . }}
app.kubernetes.io/component: serving
{{- end -}}
