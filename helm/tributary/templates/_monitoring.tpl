{{/* Matches the series of this release's serving pods, as the ServiceMonitor labels them. */}}
{{- define "tributary.servingSeries" -}}
namespace="{{ .Release.Namespace }}",service="{{ include "tributary.fullname" . }}-serving"
{{- end -}}

{{/* Matches the series of this release's Flink pods, as the PodMonitor labels them. */}}
{{- define "tributary.flinkSeries" -}}
namespace="{{ .Release.Namespace }}",pod=~"{{ include "tributary.fullname" . }}-.*"
{{- end -}}

{{- define "tributary.monitoringLabels" -}}
{{ include "tributary.labels" . }}
app.kubernetes.io/component: monitoring
{{- with .Values.monitoring.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
