{{/*
Options of the connection to the brokers, as JSON of name: value; the same for every program. Nothing for a plain connection. No secret is among
them: programs read the password from TRIBUTARY_KAFKA_PASSWORD.
*/}}
{{- define "tributary.kafkaOptions" -}}
{{- $options := dict -}}
{{- with .Values.kafka.security -}}
{{- if ne .protocol "PLAINTEXT" }}{{ $_ := set $options "kafka-security-protocol" .protocol }}{{ end -}}
{{- if .user -}}
{{- $_ := set $options "kafka-sasl-mechanism" .mechanism -}}
{{- $_ := set $options "kafka-user" .user -}}
{{- end -}}
{{- if .ca.existingSecret }}{{ $_ := set $options "kafka-ca-file" "/etc/tributary/kafka/ca.crt" }}{{ end -}}
{{- if .certificate.existingSecret -}}
{{- $_ := set $options "kafka-certificate-file" "/etc/tributary/kafka/tls.crt" -}}
{{- $_ := set $options "kafka-key-file" "/etc/tributary/kafka/tls.key" -}}
{{- end -}}
{{- end -}}
{{- toJson $options -}}
{{- end -}}

{{/* The password of the Kafka user as an environment variable, by reference. */}}
{{- define "tributary.kafkaPassword" -}}
{{- with .Values.kafka.security }}{{ if .existingSecret }}
- name: TRIBUTARY_KAFKA_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}}
{{- end }}{{ end }}
{{- end -}}

{{/* Where a container finds the brokers' authorities and its own certificate. */}}
{{- define "tributary.kafkaMount" -}}
{{- with .Values.kafka.security }}{{ if or .ca.existingSecret .certificate.existingSecret }}
- {name: kafka-tls, mountPath: /etc/tributary/kafka, readOnly: true}
{{- end }}{{ end }}
{{- end -}}

{{- define "tributary.kafkaVolume" -}}
{{- with .Values.kafka.security }}{{ if or .ca.existingSecret .certificate.existingSecret }}
- name: kafka-tls
  projected:
    sources:
      {{- with .ca }}{{ if .existingSecret }}
      - secret: {name: {{ .existingSecret }}, items: [{key: {{ .key }}, path: ca.crt}]}
      {{- end }}{{ end }}
      {{- with .certificate }}{{ if .existingSecret }}
      - secret: {name: {{ .existingSecret }}, items: [{key: {{ .certificateKey }}, path: tls.crt}, {key: {{ .keyKey }}, path: tls.key}]}
      {{- end }}{{ end }}
{{- end }}{{ end }}
{{- end -}}
