{{- /* What the operator needs where collectors are: in each watched namespace, or everywhere. */ -}}
{{- define "weir.collectorRules" -}}
# What people ask for.
- apiGroups: [weir.dev]
  resources: [flowcollectors, flowprofiles, exporttargets]
  verbs: [get, list, watch]
# What became of it.
- apiGroups: [weir.dev]
  resources: [flowcollectors/status, flowprofiles/status, exporttargets/status]
  verbs: [patch, update]
# Owner references that hold back the deletion of their owner (OwnerReferencesPermissionEnforcement asks for it).
- apiGroups: [weir.dev]
  resources: [flowcollectors/finalizers]
  verbs: [update]
# Edges, aggregators, and the last good renderings of profiles.
- apiGroups: [apps]
  resources: [daemonsets, deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# Their configuration, addresses, identities and storage.
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
# Who reaches an aggregator.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Leave for edges and aggregators to read their own ConfigMaps and Secret. No `escalate`: a Role can only grant what
# stands here.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
# Which edges are ready, why others are not, and to which ServiceAccount and node a pod that enrols belongs.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Why pods cannot be created or scheduled, and what the operator tells.
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [list, create, patch]
# Secrets that an ExportTarget names, one by one, and the collector's copy of their keys. Never list or watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
{{- if .Values.monitoring.serviceMonitor.enabled }}
# How Prometheus finds the aggregators.
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- end -}}
