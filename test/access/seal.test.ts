import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSeal } from "../../src/access/seal.ts";

const seal = createSeal("a secret");

describe("a sealed text", () => {
  test("is read again with the same secret for the same purpose, and differs each time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, purpose) => {
        const sealed = seal.seal(text, purpose);

        expect(createSeal("a secret").open(sealed, purpose)).toBe(text);
        expect(seal.seal(text, purpose).equals(sealed)).toBe(false);
        if (text.length > 3) expect(sealed.includes(text)).toBe(false);
      }),
    );
  });

  test("is none with another secret, for another purpose, or with a bit of it changed or a byte cut off", () => {
    const sealed = seal.seal("the text", "a purpose");

    expect(createSeal("another secret").open(sealed, "a purpose")).toBeNull();
    expect(seal.open(sealed, "another purpose")).toBeNull();
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(seal.open(changed, "a purpose"), `bit ${bit}`).toBeNull();
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(seal.open(sealed.subarray(0, length), "a purpose"), `${length} bytes`).toBeNull();
    }
  });
});
