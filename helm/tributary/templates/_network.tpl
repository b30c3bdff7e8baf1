{{/* The head of a NetworkPolicy. Takes a dict of `root` and `name`. */}}
{{- define "tributary.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "tributary.fullname" .root }}-{{ .name }}
  labels:
    {{- include "tributary.labels" .root | nindent 4 }}
    app.kubernetes.io/component: network
{{- end -}}

{{/* Selects pods of the release by their part. Takes a dict of `root` and `parts`. */}}
{{- define "tributary.podsOfParts" -}}
matchLabels:
  {{- include "tributary.selectorLabels" .root | nindent 2 }}
matchExpressions:
  - {key: tributary-part, operator: In, values: [{{ join ", " .parts }}]}
{{- end -}}

{{/* Ports as a NetworkPolicy lists them, each once. Takes a list of numbers or texts. */}}
{{- define "tributary.tcpPorts" -}}
{{- range $index, $port := uniq . }}
{{- if $index }}{{ "\n" }}{{ end -}}
- {protocol: TCP, port: {{ int $port }}}
{{- end }}
{{- end -}}

{{/* The port of a URL. Takes a dict of `url` and `ports`, which has the default port of each scheme. */}}
{{- define "tributary.urlPort" -}}
{{- $url := urlParse .url -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (get .ports $url.scheme) $port -}}
{{- end -}}
