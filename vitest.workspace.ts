import { defineConfig } from "vitest/config"

/** Every package is one project; each test file runs in a process of its own, since tests start and kill real ones. */
export default defineConfig({
  test: {
    pool: "forks",
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
