/** What a cache of posting rows may hold, in bytes of rows. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What an entry takes beside its row, about. */
const ENTRY_BYTES = 100;

/** The row of each segment that has it; null where a segment has none. */
export type RowsBySegment = Map<string, Uint8Array | null>;

/**
 * Rows of segments that were read lately, by the row's key. Segments never change, so what is here is right for as long
 * as there is the segment; what was not used for longest goes first.
 */
export class RowCache {
  readonly #rows = new Map<number, RowsBySegment>();
  #bytes = 0;

  /** The rows of a key, or null where it is not known of each of these segments whether it has one. */
  get(key: number, segments: readonly { id: string }[]): RowsBySegment | null {
    const rows = this.#rows.get(key);
    if (!rows) return null;
    this.#rows.delete(key); // to the end of the line
    this.#rows.set(key, rows);
    return segments.every(({ id }) => rows.has(id)) ? rows : null;
  }

  /**
   * Keeps what was read of a key, that is the rows that these segments have, and that the others have none. Answers all
   * that is known of it, whether or not there is room to keep it.
   */
  add(
    key: number,
    segments: readonly { id: string }[],
    found: ReadonlyMap<string, Uint8Array>,
  ): RowsBySegment {
    const rows: RowsBySegment = this.#rows.get(key) ?? new Map();
    this.#rows.delete(key);
    this.#rows.set(key, rows);
    for (const { id } of segments) {
      if (rows.has(id)) continue;
      const row = found.get(id) ?? null;
      rows.set(id, row);
      this.#bytes += sizeOf(row);
    }
    this.#forget();
    return rows;
  }

  #forget(): void {
    for (const [oldest, others] of this.#rows) {
      if (this.#bytes <= MAX_BYTES) return;
      for (const row of others.values()) this.#bytes -= sizeOf(row);
      this.#rows.delete(oldest);
    }
  }
}

function sizeOf(row: Uint8Array | null): number {
  return ENTRY_BYTES + (row?.length ?? 0);
}
