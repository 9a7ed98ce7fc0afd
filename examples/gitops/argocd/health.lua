-- Argo CD's health of a FlowCollector, FlowProfile or ExportTarget: the same for the three kinds, by their conditions.
-- Progressing until the operator has looked at the newest spec; Degraded when it cannot run as written.
local status = obj.status or {}
local generation = (obj.metadata or {}).generation

if status.observedGeneration == nil or status.observedGeneration ~= generation then
  return { status = "Progressing", message = "the operator has not looked at this generation yet" }
end

local by_type = {}
for _, condition in ipairs(status.conditions or {}) do
  by_type[condition.type] = condition
end

local stalled, reconciling, ready = by_type["Stalled"], by_type["Reconciling"], by_type["Ready"]
if stalled ~= nil and stalled.status == "True" then
  return { status = "Degraded", message = stalled.message }
end
if reconciling ~= nil and reconciling.status == "True" then
  return { status = "Progressing", message = reconciling.message }
end
if ready == nil or ready.status ~= "True" then
  return { status = "Progressing", message = (ready or {}).message or "no condition Ready yet" }
end
if ready.reason == "Paused" then
  return { status = "Suspended", message = ready.message }
end
return { status = "Healthy", message = ready.message }
