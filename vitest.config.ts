import path from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 3, // one waits more often than not: on two cores, a quarter faster than with two
    // Threads and processes of the app strip the types of what they load; kept, that takes half the time.
    env: { NODE_COMPILE_CACHE: path.join(import.meta.dirname, "node_modules/.cache/compile") },
  },
});
