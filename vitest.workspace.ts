import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

/** Every package is one project; each test file runs in a process of its own, since tests start and kill real ones. */
export default defineConfig({
  test: {
    pool: "forks",
    // Vitest would leave one of two processors idle; the tests wait for processes and sockets most of the time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: ["core", "config", "mcp", "keychain", "oauth", "testing", "letterhead", "conformance", "examples"].map(
      (name) => ({
        extends: true as const,
        test: { name, root: `packages/${name}`, include: ["test/**/*.test.ts"] }
      })
    )
  }
})
