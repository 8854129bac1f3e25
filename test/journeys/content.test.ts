import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { createRepository, type TestRepository } from "../support/git.ts";
import { startJourney } from "../support/journey.ts";

const database = useDatabase();
const COMMIT_OF_ELSEWHERE = "c".repeat(40);

/** Adds entries that a file system could not hold, or not under that name, to the newest commit. */
async function addEntries(
  git: TestRepository,
  entries: [mode: string, sha: string, path: string | Buffer][],
): Promise<void> {
  await git.git("read-tree", "HEAD");
  const lines = entries.map(([mode, sha, path]) =>
    Buffer.concat([Buffer.from(`${mode} ${sha}\t`), Buffer.from(path as string), Buffer.from("\0")]),
  );
  await git.git("update-index", "-z", "--index-info", { input: Buffer.concat(lines) });
  const tree = await git.git("write-tree", "--missing-ok");
  await git.git(
    "update-ref",
    "refs/heads/main",
    await git.git("commit-tree", tree, "-p", "HEAD", "-m", "odd entries"),
  );
}

async function statesOf(): Promise<Record<string, string>> {
  const rows = await database.db.selectFrom("files").select(["path", "state"]).execute();
  return Object.fromEntries(rows.map(({ path, state }) => [path, state]));
}

describe("the index", () => {
  test("lists every kind of entry with its state, and proves the whole", async () => {
    const git = await createRepository({
      bare: true,
      files: {
        "text.md": "# text\n",
        "empty.txt": "",
        "utf16.txt": Buffer.from("\uFEFFsixteen", "utf16le"),
        "latin1.txt": Buffer.from("caf\xe9", "latin1"),
        "nobody.txt": Buffer.from([0x61, 0xff, 0xfe, 0xfd, 0x81, 0x62]),
        "image.png": Buffer.from([0x89, 0x50, 0, 0]),
        "large.sql": "x".repeat(2_000_000),
        "model.bin": `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 5\n`,
        "long-line.json": JSON.stringify(Array.from({ length: 20_000 }, (_, i) => i)),
      },
    });
    const text = await git.git("rev-parse", "HEAD:text.md");
    await addEntries(git, [
      ["120000", text, "link"],
      ["160000", COMMIT_OF_ELSEWHERE, "submodule"],
      ["100755", text, "run.sh"],
    ]);
    const journey = await startJourney(database, { git });

    await journey.install();

    expect(await statesOf()).toEqual({
      "text.md": "indexed",
      "empty.txt": "indexed",
      "utf16.txt": "indexed",
      "latin1.txt": "indexed",
      "nobody.txt": "encoding",
      "image.png": "binary",
      "large.sql": "oversize",
      "model.bin": "lfs",
      "long-line.json": "indexed",
      link: "symlink",
      submodule: "submodule",
      "run.sh": "indexed",
    });
    await journey.expectTruth();
    expect(journey.simulator.violations).toEqual([]);
  });

  test("knows names of any bytes, from a listing that cannot carry them", async () => {
    const git = await createRepository({
      bare: true,
      files: {
        "a b.txt": "1",
        'quo"te.txt': "2",
        "new\nline.txt": "3",
        "한글/파일.txt": "4",
        "case.txt": "5",
        "CASE.txt": "6",
      },
    });
    const sha = await git.git("rev-parse", "HEAD:case.txt");
    const longPath = randomBytes(2_000)
      .toString("hex")
      .replaceAll(/.{200}(?=.)/g, "$&/"); // no index entry holds it
    await addEntries(git, [
      ["100644", sha, Buffer.from("caf\xe9.txt", "latin1")],
      ["100644", sha, Buffer.from("caf\xe8.txt", "latin1")],
      ["100644", sha, Buffer.from("d\xefr/in/side.txt", "latin1")],
      ["100644", sha, longPath],
    ]);
    const journey = await startJourney(database, { git });

    await journey.install();

    expect(await journey.expectTruth()).toMatchObject({ files: 10 });
    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", verified: true });
  });

  test("walks a tree that is too large for one answer", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`d${i % 5}/e${i % 3}/f${i}`, `${i}`]),
    );
    const git = await createRepository({ bare: true, files });
    const journey = await startJourney(database, {
      git,
      simulator: { treeLimit: { entries: 20, bytes: 1_000_000 } },
    });

    await journey.install();

    expect(await journey.expectTruth()).toEqual({ files: 60, texts: 60 });
  });

  test("of a push to a tree that is too large for one answer asks for the changed directories alone", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`d${i % 20}/e${i % 3}/f${i}`, `${i}`]),
    );
    const git = await createRepository({ bare: true, files });
    const journey = await startJourney(database, {
      git,
      simulator: { treeLimit: { entries: 100, bytes: 1_000_000 } },
    });
    await journey.install();
    const asked = journey.simulator.requests.length;
    await git.commit({ "d7/e1/f7": "changed", "d3/new/deep/file": "new", "d19/e1/f19": null });

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.untilStill();

    expect(await journey.expectTruth()).toMatchObject({ files: 300 });
    const requests = journey.simulator.requests
      .slice(asked)
      .filter(({ route }) => !route.includes("check-runs"));
    expect(requests.length, requests.map(({ route }) => route).join("\n")).toBeLessThanOrEqual(12);
  });

  test("of a push that moved all directories into another one lists them where they are now", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`d${i % 5}/e${i % 3}/f${i}`, `${i}`]),
    );
    const git = await createRepository({ bare: true, files });
    const journey = await startJourney(database, {
      git,
      simulator: { treeLimit: { entries: 20, bytes: 1_000_000 } },
    });
    await journey.install();
    const root = await git.git("rev-parse", "HEAD^{tree}");
    const moved = await git.git("mktree", { input: `040000 tree ${root}\tall\n` });
    const commit = await git.git("commit-tree", moved, "-p", "HEAD", "-m", "move");
    await git.git("update-ref", "refs/heads/main", commit);
    const asked = journey.simulator.requests.length;

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.untilStill();

    expect(await journey.expectTruth()).toEqual({ files: 60, texts: 60 });
    const trees = journey.simulator.requests.slice(asked).filter(({ route }) => /trees|graphql/.test(route));
    expect(trees.map(({ route }) => route)).toEqual(["/graphql"]);
  });

  test("is of the blobs, where attributes change an archive's bytes or leave files out of it", async () => {
    const files: Record<string, string> = {
      ".gitattributes": "subst.txt export-subst\nignored/** export-ignore\n*.crlf text eol=crlf\n",
      "subst.txt": "$Format:%H$\n",
      "ignored/secret.txt": "not in the archive\n",
      "windows.crlf": "one\ntwo\n",
    };
    for (let i = 0; i < 40; i += 1) files[`plain/${i}.txt`] = `${i}\n`;
    const journey = await startJourney(database, { files });

    await journey.install();

    expect(await journey.expectTruth()).toEqual({ files: 44, texts: 44 });
    const routes = journey.simulator.requests.map(({ route }) => route);
    expect(routes).toContain("/repos/{owner}/{repo}/tarball/{ref}");
  });

  test("flags what .gitattributes calls generated or vendored, and follows when it changes its mind", async () => {
    const journey = await startJourney(database, {
      files: {
        ".gitattributes": "*.gen.ts linguist-generated\nlib/** linguist-vendored\n",
        "a.gen.ts": "a",
        "lib/b.js": "b",
      },
    });
    await journey.install();
    const flags = () =>
      database.db.selectFrom("files").select(["path", "generated", "vendored"]).orderBy("path").execute();
    const before = await flags();

    await journey.git.commit({ ".gitattributes": "lib/** linguist-generated\n" });
    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.untilStill();

    expect(before).toEqual([
      { path: ".gitattributes", generated: false, vendored: false },
      { path: "a.gen.ts", generated: true, vendored: false },
      { path: "lib/b.js", generated: false, vendored: true },
    ]);
    expect(await flags()).toEqual([
      { path: ".gitattributes", generated: false, vendored: false },
      { path: "a.gen.ts", generated: false, vendored: false },
      { path: "lib/b.js", generated: true, vendored: false },
    ]);
  });

  test("is read anew as a whole by a full scan, even if what is stored was damaged", async () => {
    const journey = await startJourney(database);
    await journey.install();
    await database.db.updateTable("chunks").set({ text: "damaged" }).execute();

    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`, { mode: "full" });
    await journey.untilStill();

    await journey.expectTruth();
  });

  test("takes over files beyond what GraphQL gives whole", async () => {
    const journey = await startJourney(database);
    await journey.install();
    const asked = journey.simulator.requests.length;
    await journey.git.commit({
      "big.txt": "é".repeat(300_000),
      "binary.bin": Buffer.from([0, 1, 2]),
      small: "s",
    });

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.untilStill();

    await journey.expectTruth();
    const routes = journey.simulator.requests.slice(asked).map(({ route }) => route);
    expect(routes).toContain("/graphql");
  });

  test("does without an archive that git cannot make, after it was asked for twice", async () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, `file ${i}\n`]));
    const git = await createRepository({ bare: true, files });
    // git refuses to archive what Windows would take for its own folder
    const own = await git.git("mktree", {
      input: `100644 blob ${await git.git("rev-parse", "HEAD:f1")}\tx\n`,
    });
    const listing = `${await git.git("ls-tree", "HEAD")}\n040000 tree ${own}\tgit~1\n`;
    const commit = await git.git("commit-tree", await git.git("mktree", { input: listing }), "-m", "odd");
    await git.git("update-ref", "refs/heads/main", commit);
    const journey = await startJourney(database, { git });

    await journey.install();

    expect(await journey.expectTruth()).toEqual({ files: 41, texts: 40 });
    expect((await journey.status()).last_finished).toMatchObject({ state: "succeeded", failures: 2 });
  });

  test("says which file could not be had, and tries again with the next scan", async () => {
    const journey = await startJourney(database);
    await journey.install();
    await journey.git.commit({ "new.txt": "new" });
    const lift = [
      journey.simulator.fault({
        route: "/graphql",
        times: 9,
        mutate: (body) => Buffer.from(body.toString().replaceAll('"new"', '"lie"')),
      }),
      journey.simulator.fault({
        route: "/repos/{owner}/{repo}/git/blobs/{file_sha}",
        times: 9,
        mutate: () => Buffer.from("lie"),
      }),
    ];

    await journey.simulator.deliverPush(journey.repositoryId, {});
    await journey.untilStill();
    const states = await statesOf();
    const check = journey.simulator.checkRuns.at(-1);
    for (const remove of lift) remove();
    await journey.post(`/api/v1/repositories/${journey.repositoryId}/rescan`);
    await journey.untilStill();

    expect(states["new.txt"]).toBe("unreadable");
    expect(check).toMatchObject({ conclusion: "neutral" });
    expect((await statesOf())["new.txt"]).toBe("indexed");
    await journey.expectTruth();
  });
});
