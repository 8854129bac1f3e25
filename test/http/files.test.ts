import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { SHA, seedRepository } from "../support/seed.ts";
import { rawName, seedFiles, seedRun } from "./seed.ts";
import { expectProblem, type HttpServer, type Page, serve } from "./server.ts";

const database = useDatabase();
const FILES = "/api/v1/repositories/100/files";

interface FileJson {
  path: string;
  path_base64?: string;
}

async function setUp(files: Parameters<typeof seedFiles>[1]): Promise<HttpServer> {
  await seedRepository(database.db);
  await seedFiles(database.db, files);
  return await serve(database);
}

/** The true bytes of a listed name, as a string that keeps them apart. */
function bytesOf({ path, path_base64 }: FileJson): string {
  return Buffer.from(path_base64 ?? path, path_base64 === undefined ? "utf8" : "base64").toString("latin1");
}

describe("the files of a repository", () => {
  test("are shown as they stand in the manifest", async () => {
    const name = Buffer.from([0x61, 0xff]);
    const server = await setUp([
      { path: "a.ts", size: 42, language: "TypeScript", generated: true, mode: "100755" },
      { ...rawName(name), state: "binary", reason: "Binary.", vendored: true, sha: Buffer.alloc(20, 1) },
      { path: "sub", mode: "160000", size: null, state: "submodule", reason: "A submodule." },
    ]);
    const run_id = await seedRun(database.db);
    await database.db
      .insertInto("blobs")
      .values({
        repository_id: "100",
        sha: Buffer.alloc(20, 0xab),
        size: 42,
        state: "indexed",
        encoding: "utf-8",
        run_id,
        first_chunk: 1,
      })
      .execute();

    const { data, next_cursor } = await server.get<Page<FileJson>>(FILES);

    const common = { encoding: null, language: null, generated: false, vendored: false };
    expect(next_cursor).toBeNull();
    expect(data).toEqual([
      {
        ...common,
        path: "a.ts",
        mode: "100755",
        sha: "ab".repeat(20),
        size: 42,
        language: "TypeScript",
        encoding: "utf-8",
        state: "indexed",
        reason: null,
        generated: true,
      },
      {
        ...common,
        path: "a\ufffd",
        path_base64: name.toString("base64"),
        mode: "100644",
        sha: "01".repeat(20),
        size: 1,
        state: "binary",
        reason: "Binary.",
        vendored: true,
      },
      {
        ...common,
        path: "sub",
        mode: "160000",
        sha: "ab".repeat(20),
        size: null,
        encoding: "utf-8",
        state: "submodule",
        reason: "A submodule.",
      },
    ]);
  });

  test("come in pages that lose and double none, whatever their names", async () => {
    const utf8 = [
      "a",
      "A",
      "a/b",
      "a-b",
      "a.b",
      "Ä",
      "ä",
      "a\ufffd",
      "\u{1f600}",
      "\uff5e",
      " ",
      "'\"\\\n\t%_",
    ];
    const raw = [
      Buffer.from([0x61, 0xff]),
      Buffer.from([0x61, 0xfe]),
      Buffer.from([0xff]),
      Buffer.from([0xfe]),
      Buffer.concat([Buffer.alloc(120, 0xfd), Buffer.from("a")]), // its base64 is more than one line of MIME
      Buffer.concat([Buffer.alloc(120, 0xfd), Buffer.from("b")]),
    ];
    const server = await setUp([...utf8.map((path) => ({ path })), ...raw.map(rawName)]);
    const names = [...utf8.map((name) => Buffer.from(name)), ...raw].map((name) => name.toString("latin1"));

    for (const limit of [1, 2, 5, names.length, 1000]) {
      const rows = await server.readPages<FileJson>(FILES, limit);
      expect(rows.map(bytesOf).toSorted(), `by ${limit}`).toEqual(names.toSorted());
      const shown = rows.map(({ path }) => Buffer.from(path));
      expect(shown, `by ${limit}`).toEqual(shown.toSorted(Buffer.compare));
      for (const { path_base64 = "" } of rows) expect(path_base64).toMatch(/^[A-Za-z0-9+/]*={0,2}$/);
    }
  });

  test("go on where they were although files came and went in between", async () => {
    const server = await setUp(["b", "d", "f", "h"].map((path) => ({ path })));
    const first = await server.get<Page<FileJson>>(`${FILES}?limit=2`);
    await database.db.deleteFrom("files").where("path", "=", "d").execute();
    await seedFiles(database.db, [{ path: "a" }, { path: "e" }]);

    const second = await server.get<Page<FileJson>>(`${FILES}?limit=9&cursor=${first.next_cursor}`);

    expect(second.data.map(({ path }) => path)).toEqual(["e", "f", "h"]);
  });

  test("are narrowed by state and by language, over pages", async () => {
    const server = await setUp([
      { path: "a.ts", language: "TypeScript" },
      { path: "b.py", language: "Python" },
      { path: "c.png", state: "binary" },
      { path: "d.ts", language: "TypeScript", state: "oversize" },
      { path: "e.ts", language: "TypeScript" },
    ]);
    const paths = async (query: string) =>
      (await server.readPages<FileJson>(`${FILES}?${query}`, 1)).map(({ path }) => path).join(" ");

    expect(await paths("state=indexed")).toBe("a.ts b.py e.ts");
    expect(await paths("state=binary")).toBe("c.png");
    expect(await paths("state=unreadable")).toBe("");
    expect(await paths("language=typescript")).toBe("a.ts d.ts e.ts");
    expect(await paths("language=TypeScript&state=indexed")).toBe("a.ts e.ts");
    expect(await paths("language=%25")).toBe("");
  });

  test.each(["state=nonsense", "state=%00", "language=a%00", "path=%00", "path=a%00*"])(
    "with %s are a bad request",
    async (query) => {
      const server = await setUp([]);

      expect(await expectProblem(await server.ask(`${FILES}?${query}`), 400)).toMatch(
        /^(state|language|path) must /,
      );
    },
  );
});

const TREE = [
  "README.md",
  "a+b(c)|d$.ts",
  "line\nend.ts",
  "main.ts",
  "src/[id].ts",
  "src/a.ts",
  "src/deep/a.ts",
  "src/deep/er/b.tsx",
  "src/{x}.ts",
  "src\\a.ts",
];

describe("a path glob", () => {
  test("stays inside a folder with * and ?, crosses folders with **, and takes all else as it is", async () => {
    const server = await setUp(TREE.map((path) => ({ path })));
    const matches = async (glob: string) =>
      (await server.readPages<FileJson>(`${FILES}?path=${encodeURIComponent(glob)}`, 2)).map(
        ({ path }) => path,
      );

    const cases: [string, string[]][] = [
      ["main.ts", ["main.ts"]],
      ["MAIN.ts", []],
      ["mainxts", []],
      ["*.ts", ["a+b(c)|d$.ts", "line\nend.ts", "main.ts", "src\\a.ts"]],
      ["src/*", ["src/[id].ts", "src/a.ts", "src/{x}.ts"]],
      ["src/?.ts", ["src/a.ts"]],
      ["src?a.ts", ["src\\a.ts"]],
      ["src/**", TREE.filter((path) => path.startsWith("src/"))],
      ["src/**/a.ts", ["src/a.ts", "src/deep/a.ts"]],
      ["**/a.ts", ["src/a.ts", "src/deep/a.ts"]],
      ["**/*", TREE],
      ["**", TREE],
      ["***", TREE],
      ["**/**/**", TREE],
      ["**/*.tsx", ["src/deep/er/b.tsx"]],
      ["", TREE],
      ["[", []],
      ["{", []],
      ["(", []],
      ["\\", []],
      ["***:", []],
      ["(?i)MAIN.ts", []],
      ["src/[id].ts", ["src/[id].ts"]],
      ["src/{x}.ts", ["src/{x}.ts"]],
      ["src\\a.ts", ["src\\a.ts"]],
      ["a+b(c)|d$.ts", ["a+b(c)|d$.ts"]],
      ["main.ts\n", []],
      ["^main.ts$", []],
      ["%", []],
    ];
    for (const [glob, expected] of cases) expect(await matches(glob), glob).toEqual(expected);
  });

  test("that is very long or full of wildcards is refused; what is allowed is never slow", async () => {
    const server = await setUp([]);
    await sql`
      insert into files (repository_id, path, mode, sha, state)
      select 100, repeat('a', 100) || '/' || i || repeat('ab/', 40), '100644', decode(${SHA("a")}, 'hex'), 'indexed'
      from generate_series(1, 2000) i`.execute(database.db);
    const ask = (glob: string) => server.ask(`${FILES}?path=${encodeURIComponent(glob)}`);
    const refused = [
      "a".repeat(501),
      "*?".repeat(250),
      "**/".repeat(160) + "?".repeat(20),
      "*a".repeat(21),
      "?".repeat(21),
    ];
    const allowed = [
      "*".repeat(500),
      "**/".repeat(166),
      "a".repeat(500),
      "[".repeat(500),
      "**a".repeat(20),
      "**/a".repeat(20),
      `**a${"?".repeat(19)}`,
      `${"a*".repeat(20)}b`,
      `**${"a".repeat(23)}`.repeat(20),
    ];

    for (const glob of refused) {
      expect(await expectProblem(await ask(glob), 400), glob).toBe(
        "path must be a glob of at most 500 characters with at most 20 wildcards.",
      );
    }
    for (const glob of allowed) {
      const started = performance.now();
      expect((await ask(glob)).status, glob).toBe(200);
      expect(performance.now() - started, glob).toBeLessThan(2_000);
    }
  });
});
