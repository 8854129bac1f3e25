import { describe, expect, test } from "vitest";
import type { SearchAnswer } from "../../src/search/search.ts";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { expectProblem, type HttpServer, serve } from "./server.ts";

const database = useDatabase();

const LINES = Array.from({ length: 2_500 }, (_, i) => `line ${i + 1} of the text\n`);
const LONG = `${"y".repeat(20_000)}\n`;

async function setUp(): Promise<{ server: HttpServer; repositoryId: number; commit: string }> {
  const journey = await startJourney(database, {
    files: {
      "src/a b#c.ts": "const needle = 1;\nsecond();\nthird();\nneedle();\n",
      "long.txt": `${LINES.join("")}${LONG}the end`,
      "empty.txt": "",
    },
  });
  await journey.install();
  return {
    server: await serve(database),
    repositoryId: journey.repositoryId,
    commit: await journey.git.head(),
  };
}

const searchFor = (q: string, more = "") => `/api/v1/search?q=${encodeURIComponent(q)}${more}`;

describe("GET /api/v1/search", () => {
  test("answers files with their lines, and a link to where they are", async () => {
    const { server, repositoryId, commit } = await setUp();

    const answer = await server.get<SearchAnswer>(searchFor("needle", "&context=1&lines=1"));

    expect(answer).toEqual({
      data: [
        {
          repository_id: String(repositoryId),
          repository: "octocat/hello",
          path: "src/a b#c.ts",
          language: "TypeScript",
          commit,
          state: "indexed",
          path_ranges: [],
          more_lines: 1,
          url: `https://github.com/octocat/hello/blob/${commit}/src/a%20b%23c.ts#L1`,
          lines: [
            { number: 1, text: "const needle = 1;", offset: 0, ranges: [[6, 12]], match: true },
            { number: 2, text: "second();", offset: 0, ranges: [], match: false },
          ],
        },
      ],
      next_cursor: null,
      estimated_total: 1,
      total_is_exact: true,
      incomplete: null,
    });
  });

  test("says what is wrong with a query, and where", async () => {
    const { server } = await setUp();

    const response = await server.ask(searchFor('a OR "b'));
    const problem = (await response.json()) as { status: number; detail: string; span: number[] };

    expect([response.status, response.headers.get("content-type")]).toEqual([
      400,
      "application/problem+json",
    ]);
    expect(problem).toMatchObject({ status: 400, detail: expect.stringMatching(/\.$/), span: [5, 7] });
    await expectProblem(await server.ask("/api/v1/search?q=%20"), 400);
    await expectProblem(await server.ask("/api/v1/search"), 400);
  });

  test.each([
    "limit=0",
    "limit=101",
    "context=11",
    "context=x",
    "lines=0",
    "cursor=x",
    "cursor=e30",
    "limit=1.5",
  ])("refuses %s with a sentence", async (parameter) => {
    const server = await serve(database);

    const detail = await expectProblem(await server.ask(searchFor("a", `&${parameter}`)), 400);

    expect(detail).toContain(parameter.split("=")[0]);
  });
});

describe("the lines of a file", () => {
  test("are those that were asked for, and all of them make the whole", async () => {
    const { server, repositoryId } = await setUp();
    const content = `/api/v1/repositories/${repositoryId}/files/content?path=long.txt`;
    interface Content {
      start_line: number;
      end_line: number;
      total_lines: number;
      content: string;
    }

    const some = await server.get<Content>(`${content}&start_line=1200&end_line=1202`);
    expect(some).toMatchObject({ start_line: 1200, end_line: 1202, total_lines: 2_502 });
    expect(some.content).toBe(LINES.slice(1199, 1202).join(""));
    const long = await server.get<Content>(`${content}&start_line=2501&end_line=2501`);
    expect(long.content).toBe(LONG);
    const last = await server.get<Content>(`${content}&start_line=2502&end_line=9999`);
    expect([last.end_line, last.content]).toEqual([2_502, "the end"]);

    let whole = "";
    for (let start = 1; start <= 2_502; start += 417) {
      whole += (await server.get<Content>(`${content}&start_line=${start}&end_line=${start + 416}`)).content;
    }
    expect(whole).toBe(`${LINES.join("")}${LONG}the end`);
    const empty = `/api/v1/repositories/${repositoryId}/files/content?path=empty.txt&end_line=3`;
    expect(await server.get<Content>(empty)).toMatchObject({ start_line: 1, end_line: 0, content: "" });
  });

  test.each(["start_line=0", "start_line=5&end_line=4", "start_line=x", "start_line=9999"])(
    "are refused with a sentence: %s",
    async (range) => {
      const { server, repositoryId } = await setUp();

      const path = `/api/v1/repositories/${repositoryId}/files/content?path=long.txt&${range}`;
      const detail = await expectProblem(await server.ask(path), 400);

      expect(detail).toContain("line");
    },
  );
});
