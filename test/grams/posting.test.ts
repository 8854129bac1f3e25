import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMembers, encodeMembers } from "../../src/grams/members.ts";
import { decodeList, EVERYWHERE, encodeList, maxCodeBytes, parameterOf } from "../../src/grams/posting.ts";
import {
  findList,
  KEYS,
  MAX_UNITS,
  rowsOfKey,
  rowsOfSlices,
  rowsOfUnits,
  SLICES,
} from "../../src/grams/segment.ts";

/** Ascending numbers below `units`, sparse or dense. */
function lists(units: number): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.integer({ min: 0, max: units - 1 }), { minLength: 1, maxLength: 400 })
    .map((numbers) => numbers.sort((a, b) => a - b));
}

describe("a posting list", () => {
  test("is read as it was written, whatever its parameter", () => {
    const law = fc.property(lists(MAX_UNITS), fc.integer({ min: 0, max: 13 }), (list, k) => {
      const codes = new Uint8Array(maxCodeBytes(list.length, MAX_UNITS) + MAX_UNITS);
      const end = encodeList(list, { start: 0, end: list.length, k }, codes);

      const numbers = new Uint16Array(MAX_UNITS);
      const length = decodeList({ k, codes: codes.subarray(0, end) }, numbers);

      expect([...numbers.subarray(0, length)]).toEqual(list);
    });
    fc.assert(law);
  });

  test("takes no more room than was said", () => {
    const law = fc.property(lists(MAX_UNITS), (list) => {
      const k = parameterOf(list, { start: 0, end: list.length, units: MAX_UNITS });
      const codes = new Uint8Array(100_000);

      const bytes = encodeList(list, { start: 0, end: list.length, k }, codes);

      expect(bytes).toBeLessThanOrEqual(maxCodeBytes(list.length, MAX_UNITS));
    });
    fc.assert(law);
  });

  test("of most units is not written", () => {
    const list = Array.from({ length: 40 }, (_, i) => i);

    expect(parameterOf(list, { start: 0, end: 40, units: 100 })).toBe(EVERYWHERE);
    expect(parameterOf(list, { start: 0, end: 30, units: 100 })).not.toBe(EVERYWHERE);
  });
});

describe("a segment", () => {
  const unitKeys = fc.array(fc.uniqueArray(fc.nat({ max: KEYS - 1 }), { maxLength: 60 }), {
    minLength: 1,
    maxLength: 400,
  });

  test("says of each key which units hold it, however large it is", () => {
    const law = fc.property(
      unitKeys,
      fc.array(fc.nat({ max: KEYS - 1 }), { maxLength: 5 }),
      (units, others) => {
        const half = Math.ceil(units.length / 2);
        const pieces = [units.slice(0, half), units.slice(half)].map((part) => ({
          keys: Uint32Array.from(part.flat()),
          counts: Uint32Array.from(part, ({ length }) => length),
        }));

        const rows = new Map([...rowsOfUnits(pieces)].map((row) => [row.key, row]));

        const numbers = new Uint16Array(units.length);
        for (const key of [...(units[0] ?? []), ...(units.at(-1) ?? []), ...others]) {
          const expected = units.flatMap((keys, unit) => (keys.includes(key) ? [unit] : []));
          const found = rowsOfKey(key).flatMap((row) => {
            const list = rows.has(row) && findList(rows.get(row) as never, key);
            return list ? [list] : [];
          });
          expect(found.length).toBe(expected.length > 0 ? 1 : 0);
          if (found[0] && found[0].k !== EVERYWHERE) {
            expect([...numbers.subarray(0, decodeList(found[0], numbers))]).toEqual(expected);
          }
        }
      },
    );
    fc.assert(law, { numRuns: 60 });
  });

  test("has every row in exactly one slice", () => {
    const slices = Array.from({ length: SLICES / 4 }, (_, slice) => rowsOfSlices(slice * 4, 4));
    const law = fc.property(fc.nat({ max: KEYS - 1 }), (key) => {
      for (const row of rowsOfKey(key)) {
        const holding = slices.filter((ranges) =>
          ranges.some(([first, last]) => row >= first && row <= last),
        );
        expect(holding).toHaveLength(1);
      }
    });
    fc.assert(law);
  });
});

test("members are read as they were written", () => {
  const blobs = fc.array(
    fc.record({
      gap: fc.oneof(fc.nat({ max: 3 }), fc.nat()),
      units: fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 })), {
        minLength: 1,
        maxLength: 20,
      }),
      isPaths: fc.boolean(),
    }),
  );
  const law = fc.property(blobs, (drawn) => {
    let next = 1;
    const members = drawn.map(({ gap, units, isPaths }) => {
      const first = next + gap;
      next = first + units.reduce((sum, size) => sum + size, 0);
      return { first, units, isPaths };
    });

    expect(decodeMembers(encodeMembers(members))).toEqual(members);
  });
  fc.assert(law);
});
