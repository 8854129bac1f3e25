import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { type Kysely, sql } from "kysely";
import type { Tables } from "../../src/database/schema.ts";
import { readTexts } from "../../src/scan/store.ts";
import type { Asked } from "../support/draw-query.ts";

const TEXTS_AT_ONCE = 200;

/** Writes the indexed texts of all repositories out, as UTF-8, each at `<repository id>/<path>`; answers how many bytes. */
export async function writeTexts(db: Kysely<Tables>, folder: string): Promise<number> {
  const { rows } = await sql<{ repository_id: string; sha: string; paths: string[] }>`
    select repository_id, encode(sha, 'hex') as sha, array_agg(path) as paths from files
    where state = 'indexed' and path_bytes is null group by repository_id, sha`.execute(db);
  let bytes = 0;
  for (const [repositoryId, files] of Map.groupBy(rows, ({ repository_id }) => repository_id)) {
    for (let at = 0; at < files.length; at += TEXTS_AT_ONCE) {
      const some = files.slice(at, at + TEXTS_AT_ONCE);
      const shas = some.map(({ sha }) => sha);
      const texts = await readTexts(db, repositoryId, { shas, chunks: 2 ** 31 - 1 });
      for (const { sha, paths } of some) {
        for (const name of paths) {
          const to = path.join(folder, repositoryId, name);
          await mkdir(path.dirname(to), { recursive: true });
          await writeFile(to, texts.get(sha) ?? "");
          bytes += Buffer.byteLength(texts.get(sha) ?? "");
        }
      }
    }
  }
  return bytes;
}

/** `<repository id>/<path>:<line>` of all lines in which ripgrep finds the pattern. */
export async function ripgrep(
  folder: string,
  { pattern, isRegex, caseSensitive }: Asked,
): Promise<Set<string>> {
  const args = ["-n", "--no-heading", "--null", "--color=never", "--no-ignore", "--hidden", "-a", "--crlf"];
  args.push("--max-columns=1", "--no-messages", "--sort=none", isRegex ? "--no-fixed-strings" : "-F");
  if (!caseSensitive) args.push("-i");
  const child = spawn("rg", [...args, "-e", pattern, "."], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([buffer(child.stdout), once(child, "close")]);
  if (code === 2) throw new Error(`ripgrep does not take ${pattern}`);
  const found = new Set<string>();
  for (const line of output.toString().split("\n")) {
    const [name, rest] = line.split("\0");
    const number = /^\d+/.exec(rest ?? "")?.[0];
    if (name && number) found.add(`${name.slice(2)}:${number}`);
  }
  return found;
}
