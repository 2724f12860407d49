--- CURVE certificates for the sockets of logs, and those who are let in.
--
-- A certificate is two files: PATH, the public one, to be given away, and PATH_secret, which stays.
-- @module troupe.certificates

local error, pcall, require, type = error, pcall, require, type

local M = {}

-- czmq comes with a module of its own, so that who needs no certificates does not load it.
local function core()
  local ok, module = pcall(require, "troupe_certificates")
  if ok then return module end
  error("the module troupe_certificates cannot be loaded: " .. module, 0)
end

local function check_path(path, what)
  if type(path) ~= "string" or path == "" then
    error(("%s: path: string expected, got %s"):format(what, type(path)), 3)
  end
end

--- Makes a certificate. What there is already is never overwritten.
-- @param path string
-- @return true; nil, message
function M.make(path)
  check_path(path, "certificates.make")
  return core().make(path)
end

--- The keys of a certificate.
-- @param path string; nil: of a new one, in no file
-- @return table: public, and secret where it is there to be read, 40 characters each; nil, message
function M.load(path)
  if path ~= nil then check_path(path, "certificates.load") end
  return core().load(path)
end

-- Lets in only those whose public certificates are in the directory, to the sockets of its context. For the sink.
function M.guard(directory) return core().guard(directory) end

return M
