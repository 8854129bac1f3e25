import { expect, test } from "vitest";
import { createRepository } from "../support/git.ts";
import { until } from "../support/wait.ts";
import { openGit } from "./git.ts";

test("hundreds of repositories are read with a bounded number of processes", async () => {
  const { dir, head } = await createRepository({ bare: true, files: { "a.txt": "a\n" } });
  const git = openGit();
  const running = () => process.getActiveResourcesInfo().filter((kind) => kind === "ProcessWrap").length;

  const places = Array.from({ length: 80 }, (_, i) => `${dir}${"/.".repeat(i)}`);
  const found = await Promise.all(places.map((place) => git.find(place, "refs/heads/main")));
  await until(() => running() <= 64, { what: "the oldest readers to end" });
  const again = await git.find(places[0] ?? "", "refs/heads/main");
  await git.close();

  const sha = await head();
  expect(new Set(found.map((object) => object?.sha))).toEqual(new Set([sha]));
  expect(again?.sha).toBe(sha);
});
