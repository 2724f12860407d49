-- known.lua - the options of submit and their types, as options.lua reads them.

return {
  priority = "integer", first = "boolean", delay = "seconds", retries = "integer", backoff = "any", discard = "boolean",
  name = "string", at = "any", every = "seconds", timeout = "seconds", group = "any", outlive = "boolean",
  on_success = "function", on_error = "function", on_complete = "function", retry_if = "function",
  enqueue_timeout = "seconds", on_enqueue_timeout = "function", cleanup = "callable", on_done_in_worker = "callable",
}
