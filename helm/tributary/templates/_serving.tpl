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
-}}
{{- with include "tributary.eventsJob" . -}}
{{- $_ := set $environment "TRIBUTARY_PIPELINE_GROUP" (include "tributary.consumerGroup" (dict "root" $ "job" .)) -}}
{{- end -}}
{{- range $option, $value := .Values.serving.options -}}
{{- $_ := set $environment (printf "TRIBUTARY_%s" ($option | upper | replace "-" "_")) (include "tributary.scalar" $value) -}}
{{- end -}}
{{- toYaml $environment -}}
{{- end -}}

{{- define "tributary.servingSelector" -}}
{{ include "tributary.selectorLabels" . }}
app.kubernetes.io/component: serving
{{- end -}}
