-- timer_heap.lua - waiting items in order of time: a binary heap in which every item knows its place.
--
-- 1. An item is a table of the caller's; the heap owns its fields order, serial and place.
-- 2. place is the item's index in the heap, and nil exactly while it is in none.
-- 3. Smallest order first; of equal ones, the first pushed.

local M = {}

local function before(a, b)
  local x, y = a.order, b.order
  return x < y or x == y and a.serial < b.serial
end

-- Sets the item into the hole at place, or as far above it as it belongs.
local function rise(heap, item, place)
  while place > 1 do
    local above = place // 2
    local other = heap[above]
    if not before(item, other) then break end
    heap[place], other.place = other, place
    place = above
  end
  heap[place], item.place = item, place
end

-- Sets the item into the hole at place, or as far below it as it belongs.
local function sink(heap, item, place)
  local count = heap.count
  while true do
    local below = 2 * place
    if below > count then break end
    if below < count and before(heap[below + 1], heap[below]) then below = below + 1 end
    local other = heap[below]
    if not before(other, item) then break end
    heap[place], other.place = other, place
    place = below
  end
  heap[place], item.place = item, place
end

--- An empty heap; heap[1] is its first item.
function M.new()
  return { count = 0, pushed = 0 }
end

--- Adds an item, which is in no heap, at order, a number.
function M.push(heap, item, order)
  local count, serial = heap.count + 1, heap.pushed + 1
  heap.count, heap.pushed = count, serial
  item.order, item.serial = order, serial
  rise(heap, item, count)
end

--- Takes out an item, wherever it stands.
function M.remove(heap, item)
  local count, place = heap.count, item.place
  local last = heap[count]
  heap[count], item.place = nil, nil
  heap.count = count - 1
  if last == item then return end
  if place > 1 and before(last, heap[place // 2]) then
    rise(heap, last, place)
  else
    sink(heap, last, place)
  end
end

return M
