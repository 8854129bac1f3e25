const MOST_TEXTS = 255;

/** Which hashes were met in a text: to mark them by its number is cheaper than to clear all for each. */
export class Marks {
  /** By hash: the number of the last text that it was met in. */
  readonly met: Uint8Array;
  #texts = 0;

  constructor(hashes: number) {
    this.met = new Uint8Array(hashes);
  }

  /** The number of the next text, in which nothing was met yet. */
  next(): number {
    this.#texts += 1;
    if (this.#texts > MOST_TEXTS) {
      this.met.fill(0);
      this.#texts = 1;
    }
    return this.#texts;
  }
}
