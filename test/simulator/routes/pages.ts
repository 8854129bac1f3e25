import type { Call } from "../router.ts";
import type { Simulation } from "../simulation.ts";

const DEFAULT_PAGE_SIZE = 30;

interface Page<T> {
  items: T[];
  /** The Link header, where there are other pages. */
  headers: Record<string, string>;
}

/** The page a request asks for, and GitHub's links to the others. */
export function pageOf<T>(all: T[], { query, path }: Call, { pageSizeMax, links }: Simulation): Page<T> {
  const size = Math.min(positive(query.get("per_page")) ?? DEFAULT_PAGE_SIZE, pageSizeMax);
  const page = positive(query.get("page")) ?? 1;
  const last = Math.max(1, Math.ceil(all.length / size));
  const linkTo = (number: number, rel: string) => {
    const url = new URL(`${links.api}${path}`);
    url.searchParams.set("page", String(number));
    return `<${url}>; rel="${rel}"`;
  };
  const others = [
    ...(page > 1 ? [linkTo(1, "first"), linkTo(page - 1, "prev")] : []),
    ...(page < last ? [linkTo(page + 1, "next"), linkTo(last, "last")] : []),
  ];
  return {
    items: all.slice((page - 1) * size, page * size),
    headers: others.length > 0 ? { link: others.join(", ") } : {},
  };
}

/** A parameter that counts, or null where it is none. */
export function positive(text: string | null): number | null {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : null;
}
