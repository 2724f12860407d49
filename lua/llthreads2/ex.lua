--- The same as `llthreads.ex`.
-- @module llthreads2.ex

return require "llthreads.ex"
