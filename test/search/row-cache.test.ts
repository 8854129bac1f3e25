import { expect, test } from "vitest";
import { RowCache } from "../../src/search/row-cache.ts";

const MEGABYTE = 1024 * 1024;
const segments = [{ id: "1" }, { id: "2" }];

test("rows are known of the segments that were read, those that have none too", () => {
  const cache = new RowCache();
  const row = Uint8Array.of(1, 2, 3);

  expect(cache.get(7, segments)).toBe(null);
  cache.add(7, segments, new Map([["1", row]]));

  expect(cache.get(7, segments)).toEqual(
    new Map([
      ["1", row],
      ["2", null],
    ]),
  );
  expect(cache.get(7, [...segments, { id: "3" }]), "nothing is known of a new one").toBe(null);
  cache.add(7, [...segments, { id: "3" }], new Map([["3", row]]));
  expect(cache.get(7, [{ id: "3" }])?.get("3")).toBe(row);
});

test("what was not used for longest goes first, and what is answered stays whole", () => {
  const cache = new RowCache();
  const add = (key: number) => cache.add(key, segments, new Map([["1", new Uint8Array(12 * MEGABYTE)]]));

  const first = add(1);
  add(2);
  expect(cache.get(1, segments)).toBe(first);
  add(3);

  expect([1, 2, 3].map((key) => cache.get(key, segments) !== null)).toEqual([true, false, true]);
  const huge = cache.add(4, segments, new Map([["1", new Uint8Array(40 * MEGABYTE)]]));
  expect(huge.get("1")?.length).toBe(40 * MEGABYTE);
  expect(cache.get(4, segments)).toBe(null);
});
