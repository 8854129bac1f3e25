import { expect, test } from "vitest";
import { transaction } from "../../src/database/connect.ts";
import { UnitIndexer } from "../../src/grams/unit.ts";
import { parseBlobs } from "../../src/scan/parse.ts";
import { storeBlobs } from "../../src/scan/store.ts";
import { useDatabase } from "../support/database.ts";
import { seedRepository } from "../support/seed.ts";
import { INDEXED, rawName, seedFiles, seedRun, updateRepository } from "./seed.ts";
import { expectProblem, type Page, serve } from "./server.ts";

const database = useDatabase();
const FILES = "/api/v1/repositories/100/files";
const CONTENT = `${FILES}/content`;

/** Files with their texts, as a scan stores them. */
async function setUp(files: { name: string | Buffer; text: string }[]) {
  await seedRepository(database.db);
  await updateRepository(database.db, INDEXED);
  const run_id = await seedRun(database.db);
  const shas = files.map((_, i) => Buffer.alloc(20, i + 1));
  await seedFiles(
    database.db,
    files.map(({ name }, i) => ({
      ...(typeof name === "string" ? { path: name } : rawName(name)),
      sha: shas[i] as Buffer,
    })),
  );
  const contents = files.map(({ text }) => Buffer.from(text));
  let end = 0;
  const blobs = contents.map(({ length }, i) => {
    end += length;
    return { sha: (shas[i] as Buffer).toString("hex"), start: end - length, end, hints: [] };
  });
  const content = Buffer.concat(contents);
  const parsed = parseBlobs(
    { repository_id: "100", run_id, first_chunk: 1, content, blobs },
    new UnitIndexer(),
  );
  await transaction(database.connection, (t) =>
    storeBlobs(t, { repository_id: "100", replace: false }, parsed),
  );
  return await serve(database);
}

const contentOf = (path: string) => `${CONTENT}?path=${encodeURIComponent(path)}`;

test("a file's content is its text at the indexed commit, to the last character", async () => {
  const long = `first\r\n${"é\u{1f600}".repeat(9_000)}\n\nlast line without end`;
  const server = await setUp([
    { name: "dir/a b&c#d?.ts", text: long },
    { name: "empty", text: "" },
  ]);

  expect(await server.get(contentOf("dir/a b&c#d?.ts"))).toEqual({
    path: "dir/a b&c#d?.ts",
    commit: INDEXED.indexed_commit,
    sha: "01".repeat(20),
    encoding: "utf-8",
    start_line: 1,
    end_line: 4,
    total_lines: 4,
    content: long,
  });
  expect(await server.get(contentOf("empty"))).toMatchObject({
    start_line: 1,
    end_line: 0,
    total_lines: 0,
    content: "",
  });
});

test("names that differ in case, or look alike for not being UTF-8, are told apart", async () => {
  const long = Buffer.concat([Buffer.alloc(200, 0xfe), Buffer.from("+/")]);
  const names = ["a", "A", "\ufffd", Buffer.from([0xff]), Buffer.from([0xfe]), long];
  const server = await setUp(names.map((name, i) => ({ name, text: `text ${i}\n` })));
  const { data } = await server.get<Page<{ path: string; path_base64?: string }>>(FILES);
  expect(data).toHaveLength(names.length);

  const contents = await Promise.all(
    data.map(async ({ path, path_base64 }) => {
      const query = path_base64 === undefined ? { path } : { path_base64 };
      const { content } = await server.get<{ content: string }>(`${CONTENT}?${new URLSearchParams(query)}`);
      return [path_base64 ?? path, content];
    }),
  );

  expect(Object.fromEntries(contents)).toEqual(
    Object.fromEntries(
      names.map((name, i) => [typeof name === "string" ? name : name.toString("base64"), `text ${i}\n`]),
    ),
  );
});

test("a file that is not there is a 404, one that is not indexed a 422 with its reason", async () => {
  const server = await setUp([{ name: "a", text: "a" }]);
  await seedFiles(database.db, [
    { path: "logo.png", state: "binary", reason: "It is binary." },
    { path: "no-reason", state: "unreadable" },
  ]);

  for (const path of ["b", "A", "a/", "/a", "./a", "%", "a".repeat(10_000)]) {
    expect(await expectProblem(await server.ask(contentOf(path)), 404)).toBe(
      "There is no such file in the indexed commit, or you may not see it.",
    );
  }
  await expectProblem(await server.ask(`${CONTENT}?path_base64=YQ==`), 404);
  expect(await expectProblem(await server.ask(contentOf("logo.png")), 422)).toBe(
    "logo.png is not indexed: It is binary.",
  );
  expect(await expectProblem(await server.ask(contentOf("no-reason")), 422)).toBe(
    "no-reason is not indexed: unreadable.",
  );
});

test.each([
  "",
  "?path=",
  "?path=a&path_base64=YQ==",
  "?path=%00",
  "?path=a%00",
  "?path_base64=",
  "?path_base64=A",
  "?path_base64=AAA",
  "?path_base64=YQ",
  "?path_base64=A===",
  "?path_base64=YR==",
  "?path_base64=_w==",
  "?path_base64=%00",
  "?path_base64=a%20b=",
])("content asked for with %j is a bad request", async (query) => {
  const server = await setUp([{ name: "a", text: "a" }]);

  expect(await expectProblem(await server.ask(`${CONTENT}${query}`), 400)).toMatch(/path/);
});
