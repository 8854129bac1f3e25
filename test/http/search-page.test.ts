import { describe, expect, test } from "vitest";
import { searchPage } from "../../src/http/pages/search.ts";
import { viewIn } from "../../src/http/pages/view.ts";
import { useDatabase } from "../support/database.ts";
import { startJourney } from "../support/journey.ts";
import { linksOf, readPage } from "./page.ts";
import { serve } from "./server.ts";

const database = useDatabase();

/** Ends an attribute, an element, a title; then would run. */
const HOSTILE = `"'></title></td><script>alert(1)</script><img src=x onerror=alert(1)>&amp;`;
const ESCAPED = "&quot;&#39;&gt;&lt;/title&gt;&lt;/td&gt;&lt;script&gt;alert(1)";

const FILES: Record<string, string | Buffer> = {
  "src/server.ts": "// first\n// second\nexport function createServer() {\n  return 1;\n}\n",
  "src/a b#c?&.ts": `const one = ${JSON.stringify(HOSTILE)};\n`,
  "hidden.txt": "a\u202eb\u001b[31mneedle\u001b[0m\u200e<b>\r\n",
  "many.txt": Array.from({ length: 2_500 }, (_, i) => `line ${i + 1} of many\n`).join(""),
  "rows.txt": "row\n".repeat(15),
  "logo.png": Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]),
  "empty.txt": "",
  ...Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`page/${i}.txt`, `paged number ${i}\n`])),
};

async function setUp() {
  const journey = await startJourney(database, { files: FILES });
  await journey.install();
  const commit = await journey.git.head();
  const server = await serve(database);
  const home = `/repositories/${journey.repositoryId}`;
  return { journey, server, commit, home, file: fileIn(home) };
}

const fileIn =
  (home: string) =>
  (path: string, more = "") =>
    `${home}/file?${new URLSearchParams({ path })}${more}`;

const searchFor = (q: string) => `/search?${new URLSearchParams({ q })}`;

/** A page's words, with no space where a tag was. */
function wordsOf(page: string): string {
  return page
    .replace(/<[^>]*>/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

describe("the search page", () => {
  test("shows files with their lines, what was found in them, and where they are", async () => {
    const { server, commit, file } = await setUp();

    const page = await readPage(server, searchFor('"createserver"'));

    expect(page).toContain('name="q" value="&quot;createserver&quot;"');
    expect(page).toContain("export function <mark>createServer</mark>() {");
    expect(wordsOf(page)).toContain("1 file octocat/hello/src/server.ts TypeScript");
    expect(wordsOf(page)).toContain(commit.slice(0, 7));
    expect(wordsOf(page)).toContain("2 // second 3 export function createServer() { 4 return 1;");
    expect(wordsOf(page)).not.toContain("// first");
    expect(linksOf(page, /server\.ts$/)).toEqual([`${file("src/server.ts")}#L3`]);
    expect(linksOf(page, /on GitHub/)).toEqual([
      `https://github.com/octocat/hello/blob/${commit}/src/server.ts#L3`,
    ]);
    for (const address of linksOf(page, /server\.ts$/)) await readPage(server, address);
  });

  test("marks what of a path was found, and says what becomes of a file without text", async () => {
    const { server } = await setUp();

    const page = await readPage(server, searchFor("logo"));

    expect(page).toContain("<mark>logo</mark>.png");
    expect(page).toContain('<span class="tag">binary</span>');
  });

  test("parts lines that are apart, and says how many more there are", async () => {
    const { server, file } = await setUp();

    const apart = await readPage(server, searchFor("/^line (7|11) of/"));
    const rows = await readPage(server, searchFor('"row"'));

    expect(wordsOf(apart)).toMatch(/8 line 8 of many ⋯ 10 line 10 of many/);
    expect(wordsOf(rows)).toContain("… and 5 more lines");
    expect(linksOf(rows, /more lines/)).toEqual([file("rows.txt")]);
  });

  test("leads from page to page, to each file once", async () => {
    const { server } = await setUp();
    const found: string[] = [];

    let address: string | undefined = searchFor('"paged number"');
    while (address !== undefined) {
      const page: string = await readPage(server, address);
      if (found.length === 0) expect(wordsOf(page)).toMatch(/about \d+ files/);
      expect(page).toContain('value="&quot;paged number&quot;"');
      found.push(...linksOf(page, /page\/\d+\.txt$/));
      address = linksOf(page, /^Next page$/)[0];
    }

    expect(found).toHaveLength(25);
    expect(new Set(found).size).toBe(25);
  });

  test("shows texts that would be code or would hide something as the texts they are", async () => {
    const { server } = await setUp();

    const hostile = await readPage(server, searchFor('"alert(1)"'));
    const hidden = await readPage(server, searchFor('"needle"'));
    const none = await readPage(server, searchFor(`"${HOSTILE.replaceAll('"', '\\"')}\u202e"`));

    expect(hostile).toContain("&lt;script&gt;<mark>alert(1)</mark>&lt;/script&gt;");
    expect(wordsOf(hostile)).toContain("octocat/hello/src/a b#c?&amp;.ts");
    expect(hidden).toContain("a⟨U+202E⟩b␛[31m<mark>needle</mark>␛[0m⟨U+200E⟩&lt;b&gt;");
    for (const character of ["\u001b", "\u202e"]) expect(hidden).not.toContain(character);
    expect(none).toContain("⟨U+202E⟩");
    expect(none).toMatch(/<title>[^<]*&lt;script&gt;/);
  });

  test("points at what is wrong with a query", async () => {
    const { server } = await setUp();

    const unknown = await readPage(server, searchFor("foo lang:nolanguage <b>"), { status: 400 });
    const open = await readPage(server, searchFor("(foo"), { status: 400 });

    expect(unknown).toMatch(/foo lang:<u>nolanguage<\/u> &lt;b&gt;/);
    expect(unknown).toContain('aria-invalid="true"');
    expect(open).toMatch(/<u>\(<\/u>foo|<u>\(foo<\/u>|\(foo<u>\u00a0<\/u>/);
    expect(open).toContain('role="alert"');
    await readPage(server, `${searchFor("foo")}&cursor=nonsense`, { status: 400 });
  });

  test("helps where nothing is asked, and says so where nothing is found", async () => {
    const { server } = await setUp();

    for (const path of ["/search", searchFor("  ")]) {
      const page = await readPage(server, path);
      expect(page.match(/<tr>/g)).toHaveLength(9);
      expect(page).not.toContain('class="file"');
    }
    expect(wordsOf(await readPage(server, searchFor('"nowhere at all"')))).toContain("No file is like this.");
  });

  test("says which repositories may be missing", async () => {
    const { server, home } = await setUp();
    await database.db.updateTable("repositories").set({ path_lines: null }).execute();

    const page = await readPage(server, searchFor('"nowhere at all"'));

    expect(wordsOf(page)).toContain("One repository is not indexed whole yet: octocat/hello");
    expect(linksOf(page, /^octocat\/hello$/)).toEqual([home]);
    expect(wordsOf(page)).toContain("Nothing was found so far.");
  });

  test("has the query's filters as chips that take them out, and others that add one", async () => {
    const { server } = await setUp();

    const page = await readPage(server, searchFor("line lang:Text case:yes"));
    const both = await readPage(server, searchFor("server OR line"));
    const none = await readPage(server, searchFor('"nowhere at all" lang:Text'));

    expect(linksOf(page, /^lang:Text$/)).toEqual([searchFor("line case:yes")]);
    expect(linksOf(page, /Match case: on$/)).toEqual([searchFor("line lang:Text")]);
    expect(linksOf(both, /Match case: off$/)).toEqual([searchFor("server OR line case:yes")]);
    expect(linksOf(both, /^TypeScript$/)).toEqual([searchFor("(server OR line) lang:TypeScript")]);
    for (const address of linksOf(both, /^(TypeScript|Text)$/)) {
      expect(wordsOf(await readPage(server, address))).toMatch(/\d files?/);
    }
    expect(linksOf(none, /^lang:Text$/)).toEqual(Array(2).fill(searchFor('"nowhere at all"')));
  });

  test("is a page like others for those who may not see anything", async () => {
    const { server } = await setUp();

    expect((await fetch(`${server.url}${searchFor("one")}`)).status).toBe(401);
    expect((await fetch(`${server.url}/repositories/1/file?path=a`)).status).toBe(401);
  });
});

test("an answer that was cut short says so, and names at most ten of the repositories it may lack", async () => {
  const repositories = Array.from({ length: 12 }, (_, i) => `${i + 1}`);
  const incomplete = { reason: "time_box" as const, message: "Cut short.", repositories };
  const outcome = { data: [], next_cursor: null, estimated_total: 0, total_is_exact: false, incomplete };
  const options = {
    outcome,
    isLater: false,
    names: new Map([["1", "o/<b>"]]),
    githubWebUrl: "https://github.com",
  };

  const page = String(await searchPage(viewIn("en"), "foo", options));

  expect(wordsOf(page)).toContain("Not all was looked at in time.");
  expect(wordsOf(page)).toContain(
    "12 repositories are not indexed whole yet: o/&lt;b&gt; 2 3 4 5 6 7 8 9 10 and others",
  );
  expect(wordsOf(page)).toContain("Nothing was found so far.");
});

describe("a file's page", () => {
  test("shows its lines, each with an address", async () => {
    const { server, commit, file } = await setUp();

    const page = await readPage(server, file("src/server.ts"));

    expect(page).toMatch(
      /<tr id="L3"><td><a href="#L3">3<\/a><\/td><td>export function createServer\(\) \{<\/td>/,
    );
    expect(page.match(/<tr id="L/g)).toHaveLength(5);
    expect(wordsOf(page)).toContain("TypeScript");
    expect(linksOf(page, /on GitHub/)).toEqual([
      `https://github.com/octocat/hello/blob/${commit}/src/server.ts`,
    ]);
  });

  test("shows a long one a thousand lines at a time", async () => {
    const { server, file } = await setUp();

    const shown: number[] = [];
    let address: string | undefined = file("many.txt");
    const back: string[] = [];
    while (address !== undefined) {
      const page: string = await readPage(server, address);
      shown.push(
        ...[...page.matchAll(/<tr id="L(\d+)"><td>.*?<td>line \1 of many<\/td>/g)].map(([, n]) => Number(n)),
      );
      back.push(...linksOf(page, /^Previous lines$/).slice(0, 1));
      address = linksOf(page, /^Next lines$/)[0];
    }

    expect(shown).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 1));
    expect(back).toEqual([file("many.txt"), file("many.txt", "&start=1001")]);
    const found = await readPage(server, searchFor('"line 2345 of"'));
    expect(linksOf(found, /^2345$/)).toEqual([`${file("many.txt", "&start=2001")}#L2345`]);
  });

  test("says why one has no text", async () => {
    const { server, file } = await setUp();

    expect(wordsOf(await readPage(server, file("logo.png")))).toMatch(
      /Not indexed: .+ binary .*These are not text\./,
    );
    expect(wordsOf(await readPage(server, file("empty.txt")))).toContain("The file is empty.");
  });

  test("shows texts that would be code or would hide something as the texts they are", async () => {
    const { server, file } = await setUp();

    expect(await readPage(server, file("src/a b#c?&.ts"))).toContain(ESCAPED.replace("&quot;", "\\&quot;"));
    expect(await readPage(server, file("hidden.txt"))).toContain(
      "<td>a⟨U+202E⟩b␛[31mneedle␛[0m⟨U+200E⟩&lt;b&gt;</td>",
    );
  });

  test("is not there for names and lines that are not", async () => {
    const { server, home, file } = await setUp();

    await readPage(server, file("nothing"), { status: 404 });
    await readPage(server, "/repositories/1/file?path=a", { status: 404 });
    await readPage(server, `${home}/file`, { status: 400 });
    await readPage(server, `${home}/file?path_base64=_`, { status: 400 });
    await readPage(server, file("rows.txt", "&start=16"), { status: 400 });
    await readPage(server, file("rows.txt", "&start=0"), { status: 400 });
    await readPage(server, file("rows.txt", "&start=99999999999999999999"), { status: 400 });
  });
});

test("the other pages have a box to search in", async () => {
  const { server, home } = await setUp();

  expect(await readPage(server, "/")).toMatch(
    /<form [^>]*action="\/search"[^>]*>\s*<label>.*<input[^>]* value=""/,
  );
  expect(await readPage(server, home)).toMatch(/<input[^>]* value="repo:octocat\/hello "/);
});
