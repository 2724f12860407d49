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

-- Sets the item into the hole at place, or as far below it as it belongs. The hole goes to the bottom first, by
-- one comparison a level: the item comes from there and mostly belongs there.
local function sink(heap, item, place)
  local count, below = heap.count, 2 * place
  while below <= count do
    local other = heap[below]
    if below < count then
      local beside = heap[below + 1]
      local x, y = beside.order, other.order
      if x < y or x == y and beside.serial < other.serial then below, other = below + 1, beside end
    end
    heap[place], other.place = other, place
    place, below = below, 2 * below
  end
  rise(heap, item, place)
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
  sink(heap, last, place)
end

return M
