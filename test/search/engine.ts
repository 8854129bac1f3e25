import { onTestFinished } from "vitest";
import type { Connection } from "../../src/database/connect.ts";
import { OPERATOR, type Viewer } from "../../src/database/viewer.ts";
import { parseQuery } from "../../src/search/query.ts";
import {
  createSearchEngine,
  type SearchAnswer,
  type SearchOptions,
  search,
} from "../../src/search/search.ts";

export interface Searcher {
  /** One page. */
  ask(query: string, options?: Partial<SearchOptions>, viewer?: Viewer): Promise<SearchAnswer>;
  /** `path:line` of all matching lines of all pages, sorted; of `repository:` too where there are several. */
  lines(query: string, options?: Partial<SearchOptions>): Promise<string[]>;
  /** The paths of all pages, in their order. */
  paths(query: string, options?: Partial<SearchOptions>): Promise<string[]>;
}

/** Searches a database as its operator, page by page. Ends with the test. */
export function startSearcher(connection: Connection): Searcher {
  const engine = createSearchEngine(connection);
  onTestFinished(() => engine.close());
  const ask: Searcher["ask"] = async (query, options = {}, viewer = OPERATOR) => {
    const defaults = { limit: 20, context: 0, lines: 100_000, cursor: null, timeBoxMs: 30_000 };
    return await search(engine, viewer, parseQuery(query), { ...defaults, ...options });
  };
  const all = async (query: string, options: Partial<SearchOptions> = {}) => {
    const files: SearchAnswer["data"] = [];
    let cursor: string | null = null;
    do {
      const page: SearchAnswer = await ask(query, { ...options, cursor });
      if (page.incomplete) throw new Error(page.incomplete.message);
      files.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return files;
  };
  return {
    ask,
    async lines(query, options) {
      const files = await all(query, options);
      return files
        .flatMap(({ path, lines }) =>
          lines.filter(({ match }) => match).map(({ number }) => `${path}:${number}`),
        )
        .sort();
    },
    async paths(query, options) {
      return (await all(query, options)).map(({ path }) => path);
    },
  };
}
