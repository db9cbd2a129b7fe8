-- SPDX-License-Identifier: BSD-2-Clause
-- Five bodies under gravity, N steps: double arithmetic, sqrt, table fields.
local steps = tonumber(arg[1])
local body = {}
for i = 1, 5 do
    body[i] = { x = i * 1.7, y = i * i * 0.3 - 1, z = 0.1 * i, vx = 0.01 * i, vy = 0.02 * (3 - i), vz = 0.003, m = 1.0 / i }
end
for _ = 1, steps do
    for i = 1, 5 do
        local a = body[i]
        for j = i + 1, 5 do
            local b = body[j]
            local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
            local d2 = dx * dx + dy * dy + dz * dz + 0.01
            local f = 0.001 / (d2 * math.sqrt(d2))
            a.vx, a.vy, a.vz = a.vx - dx * b.m * f, a.vy - dy * b.m * f, a.vz - dz * b.m * f
            b.vx, b.vy, b.vz = b.vx + dx * a.m * f, b.vy + dy * a.m * f, b.vz + dz * a.m * f
        end
    end
    for i = 1, 5 do
        local a = body[i]
        a.x, a.y, a.z = a.x + a.vx * 0.001, a.y + a.vy * 0.001, a.z + a.vz * 0.001
    end
end
print(string.format("check %.9f", body[1].x))
